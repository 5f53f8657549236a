"""The names that training scripts for PyTorch use. Each is here, or its absence is explained."""

from pathlib import Path

ROOT = Path(__file__).parents[2]

USED = {
    "everywhere": """
        save load set_num_threads get_num_threads
        Tensor tensor as_tensor from_numpy zeros ones empty full eye arange linspace rand randn randint randperm
        zeros_like ones_like rand_like randn_like full_like empty_like cat stack chunk split unbind where masked_select
        manual_seed initial_seed seed get_rng_state set_rng_state default_generator Generator no_grad enable_grad
        set_grad_enabled inference_mode is_grad_enabled device dtype Size float32 float64 float16 bfloat16 int8 int16
        int32 int64 uint8 long float double half int short bool is_tensor is_floating_point numel set_default_dtype
        get_default_dtype set_default_tensor_type set_default_device set_printoptions finfo iinfo FloatTensor
        DoubleTensor HalfTensor LongTensor IntTensor ByteTensor BoolTensor set_num_interop_threads
        use_deterministic_algorithms are_deterministic_algorithms_enabled set_float32_matmul_precision
        get_float32_matmul_precision compile jit.script jit.trace jit.is_scripting jit.ignore jit.export jit.unused
        jit.ScriptModule jit.script_method compiler.disable compiler.is_compiling _dynamo.config _inductor.config
        version.cuda __version__ strided contiguous_format channels_last preserve_format Tensor.cuda Tensor.cpu
        Tensor.to Tensor.type Tensor.type_as Tensor.new Tensor.new_zeros Tensor.new_ones Tensor.new_empty
        Tensor.new_full Tensor.new_tensor Tensor.data Tensor.grad Tensor.detach Tensor.detach_ Tensor.clone Tensor.item
        Tensor.tolist Tensor.numpy Tensor.is_cuda Tensor.is_cpu Tensor.is_sparse Tensor.is_leaf Tensor.get_device
        Tensor.data_ptr Tensor.element_size Tensor.nelement Tensor.storage Tensor.untyped_storage Tensor.storage_offset
        Tensor.stride Tensor.contiguous Tensor.is_contiguous Tensor.view Tensor.reshape Tensor.pin_memory
        Tensor.is_pinned Tensor.share_memory_ Tensor.is_shared Tensor.requires_grad_ Tensor.retain_grad
        Tensor.register_hook Tensor.backward Tensor.layout Tensor.resize_ Tensor.record_stream Tensor.apply_ Tensor.map_
        Tensor.numel Tensor.size Tensor.dim Tensor.copy_ Tensor.fill_ Tensor.zero_ Tensor.normal_ Tensor.uniform_
        Tensor.random_ Tensor.bernoulli_ Tensor.exponential_""",
    "devices": """
        cuda.is_available cuda.device_count cuda.current_device cuda.set_device cuda.device cuda.get_device_name
        cuda.get_device_properties cuda.get_device_capability cuda.synchronize cuda.memory_allocated
        cuda.max_memory_allocated cuda.reset_peak_memory_stats cuda.reset_max_memory_allocated cuda.memory_reserved
        cuda.max_memory_reserved cuda.memory_summary cuda.memory_stats cuda.mem_get_info cuda.empty_cache
        cuda.ipc_collect cuda.manual_seed cuda.manual_seed_all cuda.get_rng_state cuda.set_rng_state
        cuda.get_rng_state_all cuda.set_rng_state_all cuda.initial_seed cuda.Event cuda.Stream cuda.stream
        cuda.current_stream cuda.default_stream cuda.is_bf16_supported cuda.is_initialized cuda.get_arch_list
        cuda.amp.autocast cuda.amp.GradScaler cuda.amp.custom_fwd cuda.amp.custom_bwd cuda.nvtx.range_push
        cuda.nvtx.range_pop cuda.FloatTensor cuda.LongTensor cuda.OutOfMemoryError cuda.CUDAGraph OutOfMemoryError
        accelerator.is_available accelerator.current_accelerator accelerator.device_count accelerator.synchronize
        backends.cudnn.benchmark backends.cudnn.deterministic backends.cudnn.enabled backends.cudnn.allow_tf32
        backends.cudnn.version backends.cudnn.is_available backends.cudnn.flags backends.cuda.matmul.allow_tf32
        backends.cuda.matmul.allow_fp16_reduced_precision_reduction backends.cuda.enable_flash_sdp
        backends.cuda.enable_mem_efficient_sdp backends.cuda.enable_math_sdp backends.cuda.sdp_kernel
        backends.mps.is_available backends.mps.is_built backends.mkldnn.is_available backends.openmp.is_available
        backends.mkl.is_available mps.empty_cache mps.manual_seed xpu.is_available amp.autocast amp.GradScaler autocast
        GradScaler is_autocast_enabled get_autocast_gpu_dtype cpu.amp.autocast""",
    "image classification": """
        utils.data.WeightedRandomSampler utils.data.get_worker_info utils.data.distributed.DistributedSampler
        nn.Module nn.Conv2d nn.Linear nn.Dropout nn.Dropout2d nn.ReLU nn.ReLU6 nn.MaxPool2d nn.AvgPool2d
        nn.AdaptiveAvgPool2d nn.AdaptiveMaxPool2d nn.BatchNorm1d nn.BatchNorm2d nn.SyncBatchNorm nn.GroupNorm
        nn.LayerNorm nn.Sequential nn.ModuleList nn.ModuleDict nn.Identity nn.Flatten nn.CrossEntropyLoss nn.NLLLoss
        nn.MSELoss nn.SiLU nn.Hardswish nn.Hardsigmoid nn.Sigmoid nn.LogSoftmax nn.Softmax nn.PReLU nn.LeakyReLU nn.ELU
        nn.GELU nn.Upsample nn.ZeroPad2d nn.parallel.DistributedDataParallel nn.functional.relu nn.functional.max_pool2d
        nn.functional.avg_pool2d nn.functional.adaptive_avg_pool2d nn.functional.log_softmax nn.functional.softmax
        nn.functional.nll_loss nn.functional.cross_entropy nn.functional.dropout nn.functional.pad nn.functional.one_hot
        nn.functional.interpolate nn.functional.normalize nn.functional.conv2d nn.functional.linear
        nn.functional.batch_norm nn.init.kaiming_normal_ nn.init.kaiming_uniform_ nn.init.xavier_uniform_
        nn.init.xavier_normal_ nn.init.constant_ nn.init.normal_ nn.init.uniform_ nn.init.zeros_ nn.init.ones_
        nn.init.orthogonal_ nn.init.trunc_normal_ nn.init.calculate_gain nn.init._calculate_fan_in_and_fan_out
        nn.init.sparse_ nn.init.dirac_ nn.init.eye_ optim.SGD optim.Adam optim.AdamW optim.RMSprop optim.Adadelta
        optim.Adagrad optim.Adamax optim.LBFGS optim.NAdam optim.RAdam optim.Rprop optim.ASGD optim.Optimizer
        optim.lr_scheduler.StepLR optim.lr_scheduler.MultiStepLR optim.lr_scheduler.ExponentialLR
        optim.lr_scheduler.CosineAnnealingLR optim.lr_scheduler.CosineAnnealingWarmRestarts
        optim.lr_scheduler.ReduceLROnPlateau optim.lr_scheduler.LambdaLR optim.lr_scheduler.OneCycleLR
        optim.lr_scheduler.CyclicLR optim.lr_scheduler.LinearLR optim.lr_scheduler.SequentialLR
        optim.lr_scheduler._LRScheduler optim.lr_scheduler.LRScheduler optim.lr_scheduler.PolynomialLR
        optim.lr_scheduler.ChainedScheduler optim.lr_scheduler.ConstantLR optim.lr_scheduler.MultiplicativeLR
        optim.swa_utils.AveragedModel utils.data.DataLoader utils.data.Dataset utils.data.TensorDataset
        utils.data.Subset utils.data.random_split utils.data.ConcatDataset utils.data.IterableDataset utils.data.Sampler
        utils.data.SubsetRandomSampler utils.data.RandomSampler utils.data.SequentialSampler utils.data.BatchSampler
        utils.data.default_collate utils.data.dataloader.default_collate utils.data.dataset.Dataset
        utils.data.sampler.Sampler utils.data.sampler.SubsetRandomSampler eq max argmax topk sum mean sort flatten
        abs""",
    "generation": """
        nn.ConvTranspose2d nn.Tanh nn.BCELoss nn.BCEWithLogitsLoss nn.InstanceNorm2d nn.ReflectionPad2d nn.PixelShuffle
        nn.L1Loss nn.SmoothL1Loss nn.Embedding nn.Parameter nn.ParameterList nn.utils.spectral_norm
        nn.functional.binary_cross_entropy nn.functional.mse_loss nn.functional.binary_cross_entropy_with_logits
        nn.functional.leaky_relu nn.functional.instance_norm nn.functional.conv_transpose2d nn.functional.grid_sample
        nn.functional.affine_grid nn.functional.softplus autograd.grad autograd.Variable bmm clamp exp log sqrt pow
        randn_like sigmoid tanh matmul mm addmm lerp linspace nan_to_num cumprod cumsum""",
    "text": """
        nn.LSTM nn.GRU nn.RNN nn.LSTMCell nn.GRUCell nn.Transformer nn.TransformerEncoder nn.TransformerEncoderLayer
        nn.TransformerDecoder nn.TransformerDecoderLayer nn.MultiheadAttention nn.RMSNorm nn.KLDivLoss
        nn.functional.scaled_dot_product_attention nn.functional.gelu nn.functional.silu nn.functional.layer_norm
        nn.functional.embedding nn.functional.kl_div nn.attention.SDPBackend nn.attention.sdpa_kernel
        nn.utils.clip_grad_norm_ nn.utils.clip_grad_value_ nn.utils.rnn.pad_sequence nn.utils.rnn.pack_padded_sequence
        nn.utils.rnn.pad_packed_sequence nn.utils.rnn.PackedSequence nn.utils.rnn.pack_sequence nn.utils.weight_norm
        nn.utils.parameters_to_vector nn.utils.vector_to_parameters nn.Transformer.generate_square_subsequent_mask
        multinomial tril triu einsum outer gather scatter index_select bincount unique nonzero repeat_interleave
        Tensor.masked_fill Tensor.masked_fill_ Tensor.scatter_ Tensor.index_fill_ Tensor.index_copy_ Tensor.gather
        Tensor.unfold Tensor.expand Tensor.expand_as Tensor.permute Tensor.transpose Tensor.unsqueeze Tensor.squeeze
        Tensor.repeat Tensor.flip Tensor.roll Tensor.narrow Tensor.topk Tensor.softmax Tensor.log_softmax polar
        view_as_complex view_as_real hann_window stft""",
    "reinforcement learning": """
        distributions.Categorical distributions.Normal distributions.Bernoulli distributions.Independent
        distributions.MultivariateNormal distributions.Beta distributions.kl_divergence distributions.kl.kl_divergence
        distributions.Distribution distributions.TransformedDistribution distributions.TanhTransform
        distributions.multinomial distributions.normal.Normal distributions.categorical.Categorical
        multiprocessing.Process multiprocessing.Queue multiprocessing.set_start_method multiprocessing.spawn
        multiprocessing.Pool multiprocessing.Lock multiprocessing.Value nn.functional.smooth_l1_loss squeeze cat min
        logsumexp nn.functional.huber_loss nn.Module.share_memory""",
    "extensions": """
        autograd.Function autograd.backward autograd.gradcheck autograd.set_detect_anomaly autograd.detect_anomaly
        autograd.functional.jacobian autograd.functional.hessian autograd.profiler.profile
        autograd.profiler.record_function profiler.profile profiler.record_function profiler.ProfilerActivity
        profiler.schedule profiler.tensorboard_trace_handler utils.checkpoint.checkpoint
        utils.checkpoint.checkpoint_sequential utils.model_zoo.load_url utils.cpp_extension.load hub.load
        hub.load_state_dict_from_url hub.set_dir hub.get_dir onnx.export fx.wrap fx.symbolic_trace func.vmap vmap
        func.functional_call distributed.init_process_group distributed.destroy_process_group distributed.get_rank
        distributed.get_world_size distributed.is_initialized distributed.is_available distributed.barrier
        distributed.all_reduce distributed.ReduceOp distributed.broadcast distributed.all_gather distributed.new_group
        nn.Module.register_buffer nn.Module.register_parameter nn.Module.register_forward_hook
        nn.Module.register_full_backward_hook nn.Module.register_forward_pre_hook nn.Module.state_dict
        nn.Module.load_state_dict nn.Module.named_parameters nn.Module.named_modules nn.Module.children
        nn.Module.named_children nn.Module.apply nn.Module.train nn.Module.eval nn.Module.to nn.Module.cuda
        nn.Module.cpu nn.Module.half nn.Module.bfloat16 nn.Module.float nn.Module.double nn.Module.zero_grad
        nn.Module.requires_grad_ nn.Module.get_parameter nn.Module.get_submodule nn.Module.type nn.Module.compile
        nn.Module.buffers nn.Module.named_buffers nn.Module.add_module nn.Module.extra_repr
        nn.modules.batchnorm._BatchNorm nn.modules.conv._ConvNd nn.modules.loss._Loss nn.modules.utils._pair
        nn.modules.module.Module nn.modules.container.Sequential nn.modules.instancenorm._InstanceNorm
        nn.modules.activation.MultiheadAttention nn.parameter.Parameter nn.parameter.Buffer utils.hooks.RemovableHandle
        types.Device fft.fft sparse.mm quantization.quantize_dynamic""",
}


def listed() -> list[str]:
    """The names, each once."""
    return sorted({name for names in USED.values() for name in names.split()})
