"""Why a model answers as it does: attributions of its inputs, and inputs that a unit answers to.

Each function takes a model or any function of a batch, and which output to explain. It puts the model into eval mode,
takes gradients of the input alone, and leaves the model as it was, also after an error.
"""

from gpunet.interpret.grad_cam import grad_cam
from gpunet.interpret.gradients import input_x_gradient, integrated_gradients, saliency, smooth_grad
from gpunet.interpret.occlusion import occlusion
from gpunet.interpret.shapley import shapley_value_sampling, shapley_values
from gpunet.interpret.visualization import feature_visualization

__all__ = ["feature_visualization", "grad_cam", "input_x_gradient", "integrated_gradients", "occlusion", "saliency",
           "shapley_value_sampling", "shapley_values", "smooth_grad"]
