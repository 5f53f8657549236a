"""Hooks around forward, the backward pass and the state; what subclasses of Module override."""

import pytest

import gpunet
from gpunet import nn
from tests.both import outcome, same_in_both


def filled(lib, module, start=1):
    """The module with parameters start, start + 1, ... in place of random ones."""
    with lib.no_grad():
        for i, p in enumerate(module.parameters()):
            p.fill_(start + i)
    return module


# ---- state_dict ----------------------------------------------------------------------------------------------------


def state_dict_hooks(lib):
    seen = []
    model = filled(lib, lib.nn.Sequential(lib.nn.Linear(1, 1), lib.nn.Linear(1, 1)))
    model[0].register_state_dict_pre_hook(lambda m, prefix, keep: seen.append(("pre", prefix, keep)))
    model[1].register_state_dict_post_hook(
        lambda m, state, prefix, meta: seen.append((list(state), prefix, dict(meta))))
    handle = model.register_state_dict_post_hook(lambda m, state, prefix, meta: state.update(added=lib.ones(1)))
    model[0]._register_state_dict_hook(lambda m, state, prefix, meta: state.pop(prefix + "bias") and None)
    first = dict(model.state_dict(prefix="p.", keep_vars=True))
    handle.remove()
    replaced = lib.nn.Linear(1, 1)
    replaced._register_state_dict_hook(lambda m, state, prefix, meta: {"only": lib.zeros(1)})
    wrong = lib.nn.Linear(1, 1)
    wrong.register_state_dict_post_hook(lambda m, state, prefix, meta: {})
    return seen, first, dict(model.state_dict()), dict(replaced.state_dict()), outcome(wrong.state_dict)


def metadata(lib):
    model = lib.nn.Sequential(lib.nn.Linear(1, 1), lib.nn.BatchNorm1d(1))
    return {key: dict(value) for key, value in model.state_dict()._metadata.items()}


def load_hooks(lib):
    seen, model = [], filled(lib, lib.nn.Sequential(lib.nn.Linear(1, 1), lib.nn.Linear(1, 1)))
    model[0]._register_load_state_dict_pre_hook(
        lambda state, prefix, meta, strict, missing, unexpected, errors: state.update(
            {prefix + "weight": state.pop(prefix + "w")}))
    model[1].register_load_state_dict_pre_hook(
        lambda m, state, prefix, *rest: seen.append((type(m).__name__, sorted(state), prefix, len(rest))))
    model.register_load_state_dict_post_hook(lambda m, keys: keys.missing_keys.remove("1.bias"))
    state = {"0.w": lib.ones(1, 1) * 7, "0.bias": lib.ones(1) * 8, "1.weight": lib.ones(1, 1) * 9}
    result = model.load_state_dict(state)
    return seen, list(result.missing_keys), dict(model.state_dict()), sorted(state)


def extra_state(lib):
    class Counted(lib.nn.Linear):
        count = 3

        def get_extra_state(self):
            return {"count": self.count}

        def set_extra_state(self, state):
            self.count = state["count"]

    a, b = filled(lib, Counted(1, 1)), filled(lib, Counted(1, 1), 5)
    a.count = 11
    state = a.state_dict()
    b.load_state_dict(state)
    without = {key: value for key, value in state.items() if key != "_extra_state"}
    plain = lib.nn.Linear(1, 1)
    return (list(state), b.count, outcome(b.load_state_dict, without), outcome(plain.load_state_dict, state),
            b.load_state_dict(without, strict=False).missing_keys)


def overridden_methods(lib):
    class Renamed(lib.nn.Linear):
        def _save_to_state_dict(self, destination, prefix, keep_vars):
            super()._save_to_state_dict(destination, prefix, keep_vars)
            destination[prefix + "kernel"] = destination.pop(prefix + "weight")

        def _load_from_state_dict(self, state_dict, prefix, *args):
            state_dict[prefix + "weight"] = state_dict.pop(prefix + "kernel")
            super()._load_from_state_dict(state_dict, prefix, *args)
            with lib.no_grad():
                self.bias.add_(1)

    a, b = (lib.nn.Sequential(Renamed(2, 1), lib.nn.Linear(1, 1)) for _ in range(2))
    filled(lib, a)
    b.load_state_dict(a.state_dict())
    return dict(a.state_dict()), dict(b.state_dict())


def versions(lib):
    class Versioned(lib.nn.Linear):
        _version = 2

        def _load_from_state_dict(self, state_dict, prefix, local_metadata, *args):
            self.loaded = local_metadata.get("version")
            super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)

    model = Versioned(1, 1)
    model.load_state_dict(lib.nn.Linear(1, 1).state_dict())
    first = model.loaded
    model.load_state_dict(model.state_dict())
    second = model.loaded
    model.load_state_dict(dict(model.state_dict()))
    return first, second, model.loaded


def old_batch_norm(lib):
    state = lib.nn.BatchNorm1d(2).state_dict()
    del state["num_batches_tracked"], state._metadata
    return repr(lib.nn.BatchNorm1d(2).load_state_dict(state)), outcome(lib.nn.BatchNorm1d(2).load_state_dict, {})


def assigned(lib):
    model = lib.nn.Linear(2, 1)
    before = model.weight
    given = {"weight": lib.ones(1, 2, dtype=lib.float64), "bias": lib.nn.Parameter(lib.ones(1), requires_grad=False)}
    model.load_state_dict(given, assign=True)
    given["weight"].fill_(4)
    return (model.weight is before, model.weight, type(model.weight).__name__, model.weight.requires_grad,
            model.bias is given["bias"])


def scalars(lib):
    class Scale(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = lib.nn.Parameter(lib.tensor(1.0))

    model = Scale()
    model.load_state_dict({"scale": lib.tensor([3.0])})
    return model.scale


def overridden_state_dict(lib):
    class Hidden(lib.nn.Linear):
        def state_dict(self, *args, destination=None, prefix="", keep_vars=False):
            found = super().state_dict(*args, destination=destination, prefix=prefix, keep_vars=keep_vars)
            found.pop(prefix + "bias")
            return found

    return list(lib.nn.Sequential(Hidden(1, 1), lib.nn.Linear(1, 1)).state_dict())


# ---- forward and backward ------------------------------------------------------------------------------------------


def _name(module):
    return type(module).__name__


def global_hooks(lib):
    place = lib.nn.modules.module if lib is not gpunet else nn.hooks
    seen = []
    model = filled(lib, lib.nn.Sequential(lib.nn.Linear(1, 1), lib.nn.ReLU()))
    model[0].register_forward_hook(lambda m, args, y: seen.append("own"))
    handles = [
        place.register_module_forward_pre_hook(lambda m, args: seen.append(("pre", _name(m)))),
        place.register_module_forward_hook(lambda m, args, y: seen.append(("post", _name(m), y))),
        place.register_module_forward_hook(lambda m, args, kwargs, y: seen.append(kwargs), with_kwargs=True),
        place.register_module_full_backward_pre_hook(lambda m, go: seen.append(("bpre", _name(m), go[0]))),
        place.register_module_full_backward_hook(lambda m, gi, go: seen.append(("back", _name(m), gi[0], go[0]))),
    ]
    x = lib.ones(1, 1, requires_grad=True)
    model(x).sum().backward()
    for handle in handles:
        handle.remove()
    count = len(seen)
    model(x).sum().backward()
    return seen, len(seen) - count, x.grad


def backward_pre_hooks(lib):
    seen, layer = [], filled(lib, lib.nn.Linear(1, 1))
    layer.register_full_backward_pre_hook(lambda m, go: seen.append(go[0]))
    layer.register_full_backward_pre_hook(lambda m, go: (go[0] * 10,), prepend=True)
    layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi[0], go[0])))
    layer.register_forward_hook(lambda m, args, y: y * 2)
    x = lib.ones(1, 1, requires_grad=True)
    layer(x).sum().backward()
    wrong = filled(lib, lib.nn.Linear(1, 1))
    wrong.register_full_backward_pre_hook(lambda m, go: (go[0], go[0]))
    return seen, x.grad, layer.weight.grad, outcome(wrong(x).sum().backward)


def forward_options(lib):
    seen, layer = [], lib.nn.Identity()
    layer.register_forward_pre_hook(lambda m, args, kwargs: ((args[0] + 1,), kwargs), with_kwargs=True)
    layer.register_forward_pre_hook(lambda m, args: seen.append(args) or args[0] * 2, prepend=True)
    layer.register_forward_hook(lambda m, args, y: seen.append(("last", y)))
    layer.register_forward_hook(lambda m, args, kwargs, y: y - 1, with_kwargs=True, prepend=True)
    return layer(lib.ones(1)), seen, len(layer._forward_hooks), len(layer._forward_pre_hooks)


@pytest.mark.parametrize("program", [
    state_dict_hooks, metadata, load_hooks, extra_state, overridden_methods, versions, old_batch_norm, assigned,
    scalars, overridden_state_dict, global_hooks, backward_pre_hooks, forward_options],
    ids=lambda program: program.__name__)
def test_as_in_pytorch(program):
    same_in_both(program)


# ---- beyond PyTorch ------------------------------------------------------------------------------------------------


def test_nothing_changes_if_something_is_wrong():
    """Also where a hook has changed the dictionary, and a module takes extra state."""
    class Extra(nn.Linear):
        taken = 0

        def get_extra_state(self):
            return 1

        def set_extra_state(self, state):
            self.taken = state

    model = filled(gpunet, nn.Sequential(Extra(1, 1), nn.Linear(1, 1)))
    model[0].register_load_state_dict_pre_hook(lambda m, state, *rest: state.update({"0.weight": gpunet.zeros(1, 1)}))
    with pytest.raises(RuntimeError, match="size mismatch for 1.bias"):
        model.load_state_dict({**model.state_dict(), "1.bias": gpunet.zeros(4)})
    assert [p.item() for p in model.parameters()] == [1, 2, 3, 4] and model[0].taken == 0


def test_hooks_cost_nothing_once_they_are_removed():
    model = nn.Sequential(nn.Linear(1, 1), nn.ReLU())
    handle = nn.hooks.register_module_forward_hook(lambda m, args, y: None)
    assert nn.Tanh()._hooked
    handle.remove()
    assert not nn.Tanh()._hooked and not model[0]._hooked


def test_sentences():
    layer = nn.Linear(1, 1)
    layer.register_state_dict_post_hook(lambda *args: 3)
    with pytest.raises(RuntimeError, match="register_state_dict_post_hook must return None"):
        layer.state_dict()
    layer.register_load_state_dict_post_hook(lambda *args: 3)
    with pytest.raises(AssertionError, match="register_load_state_dict_post_hook must return None"):
        layer.load_state_dict({"weight": gpunet.ones(1, 1), "bias": gpunet.ones(1)})
    layer.register_forward_pre_hook(lambda m, args, kwargs: args, with_kwargs=True)
    with pytest.raises(RuntimeError, match=r"must return None or \(args, kwargs\), got tuple"):
        layer(gpunet.ones(1, 1))
