"""An LSTM language model with truncated back-propagation through time, as in PyTorch's word_language_model example."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

VOCABULARY, LENGTH, BATCH = 50, 12, 6


class LanguageModel(nn.Module):
    def __init__(self, ntoken=VOCABULARY, ninp=16, nhid=24, nlayers=2, dropout=0.0):
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = nn.LSTM(ninp, nhid, nlayers, dropout=dropout)
        self.decoder = nn.Linear(nhid, ntoken)
        self.nhid, self.nlayers, self.ntoken = nhid, nlayers, ntoken
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, input, hidden):
        emb = self.drop(self.encoder(input))
        output, hidden = self.rnn(emb, hidden)
        decoded = self.decoder(self.drop(output)).view(-1, self.ntoken)
        return F.log_softmax(decoded, dim=1), hidden

    def init_hidden(self, bsz):
        weight = next(self.parameters())
        return (weight.new_zeros(self.nlayers, bsz, self.nhid), weight.new_zeros(self.nlayers, bsz, self.nhid))


def repackage_hidden(h):
    return h.detach() if isinstance(h, torch.Tensor) else tuple(repackage_hidden(v) for v in h)


def build():
    return LanguageModel()


def train(model, steps):
    text = np.random.default_rng(0).integers(0, VOCABULARY, (steps * LENGTH + 1, BATCH))
    data = torch.from_numpy(text)
    criterion = nn.NLLLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    hidden = model.init_hidden(BATCH)
    losses = []
    for i in range(0, steps * LENGTH, LENGTH):
        model.zero_grad()
        hidden = repackage_hidden(hidden)
        output, hidden = model(data[i:i + LENGTH], hidden)
        loss = criterion(output, data[i + 1:i + 1 + LENGTH].reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        optimizer.step()
        losses.append(loss.item())
    return losses
