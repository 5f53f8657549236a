"""Layers with parameters of their own: recurrent ones, and multi-head attention."""

from tests.random_programs.draw import Draw
from tests.random_programs.program import Program, family

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


@family
def recurrent(draw: Draw) -> Program:
    """LSTM, GRU and RNN: several layers, both directions, projections, initial states, packed sequences, no batch."""
    name, inputs, hidden = draw.pick(*GATES), draw.size(), draw.pick(1, 2, 3, 5, 8, 17, 33)
    layers, bias, batch_first, both = draw.integer(1, 3), draw.chance(), draw.chance(), draw.chance()
    steps, batch, batched = draw.pick(1, 2, 3, 5), draw.pick(1, 1, 2, 3, 5, 9), draw.chance(0.8)
    projection = 2 if name == "LSTM" and hidden > 2 and draw.chance(0.25) else 0
    nonlinearity, output = draw.pick("tanh", "relu"), projection or hidden

    weights = []
    for layer in range(layers):
        for _ in range(1 + both):
            entry = inputs if layer == 0 else output * (1 + both)
            shapes = [(GATES[name] * hidden, entry), (GATES[name] * hidden, output)]
            shapes += [(GATES[name] * hidden,)] * 2 * bias + [(projection, hidden)] * bool(projection)
            weights += [draw.array(shape, factor=0.3) for shape in shapes]

    state = (batch,) if batched else ()
    options: dict = {}
    if draw.chance():
        options["h0"] = draw.array((layers * (1 + both), *state, output))
        if name == "LSTM":
            options["c0"] = draw.array((layers * (1 + both), *state, hidden))
    if batched and draw.chance(0.3):
        options["lengths"] = sorted(draw.integers(batch, 1, steps), reverse=True)

    def body(lib, x, h0=None, c0=None, lengths=None, **_):
        layer = lib.layer(name, weights, inputs, hidden, layers, bias=bias, batch_first=batch_first, bidirectional=both,
                          **({"proj_size": projection} if projection else {}),
                          **({"nonlinearity": nonlinearity} if name == "RNN" else {}))
        if lengths:
            x = lib.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=batch_first)
        y, states = layer(x, h0 if c0 is None else (h0, c0))
        return y.data if lengths else y, *(states if name == "LSTM" else [states])

    shape = (steps, inputs) if not batched else (batch, steps, inputs) if batch_first else (steps, batch, inputs)
    return Program(name, [draw.operand(shape)],
                   options | {"hidden": hidden, "layers": layers, "bidirectional": both, "projection": projection,
                              "bias": bias, "batch_first": batch_first}, body)


@family
def multihead_attention(draw: Draw) -> Program:
    heads = draw.integer(1, 3)
    width, batch_first = heads * draw.integer(1, 5), draw.chance()
    weights = [draw.array(shape, factor=0.4) for shape in ((3 * width, width), (3 * width,), (width, width), (width,))]

    def body(lib, x, heads, batch_first):
        return lib.layer("MultiheadAttention", weights, width, heads, batch_first=batch_first)(x, x, x)

    return Program("MultiheadAttention", [draw.operand((draw.integer(1, 3), draw.integer(1, 6), width))],
                   {"heads": heads, "batch_first": batch_first}, body)


@family
def cell(draw: Draw) -> Program:
    name, inputs, hidden, batch = draw.pick(*GATES), *draw.shape(3)
    gates = GATES[name] * hidden
    weights = [draw.array(s, factor=0.4) for s in ((gates, inputs), (gates, hidden), (gates,), (gates,))]
    return Program(f"{name}Cell", [draw.operand((batch, inputs)), draw.operand((batch, hidden))], {},
                   lambda lib, x, h: lib.layer(f"{name}Cell", weights, inputs, hidden)(
                       x, (h, h * 2) if name == "LSTM" else h))
