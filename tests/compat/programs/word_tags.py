"""A tagger of sentences of different lengths, written in the style of PyTorch 0.4: Variable, types by name, packing."""

import numpy as np
import torch
import torch.nn as nn
from torch.autograd import Variable
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

use_cuda = torch.cuda.is_available()
FloatTensor = torch.cuda.FloatTensor if use_cuda else torch.FloatTensor
LongTensor = torch.cuda.LongTensor if use_cuda else torch.LongTensor


class Tagger(nn.Module):
    def __init__(self, vocabulary, embedding_dim, hidden_dim, tags):
        super(Tagger, self).__init__()
        self.hidden_dim = hidden_dim
        self.embedding = nn.Embedding(vocabulary, embedding_dim, padding_idx=0)
        self.lstm = nn.LSTM(embedding_dim, hidden_dim, num_layers=2, bidirectional=True, batch_first=True)
        self.hidden2tag = nn.Linear(2 * hidden_dim, tags)

    def init_hidden(self, batch):
        weight = next(self.parameters()).data
        return (Variable(weight.new(4, batch, self.hidden_dim).zero_()),
                Variable(weight.new(4, batch, self.hidden_dim).zero_()))

    def forward(self, sentences, lengths):
        packed = pack_padded_sequence(self.embedding(sentences), lengths, batch_first=True, enforce_sorted=False)
        output, (h, c) = self.lstm(packed, self.init_hidden(sentences.size(0)))
        output, _ = pad_packed_sequence(output, batch_first=True)
        return self.hidden2tag(output), h, c


def build():
    return Tagger(12, 6, 5, 3)


def train(model, steps):
    if use_cuda:
        model.cuda()
    criterion = nn.CrossEntropyLoss(ignore_index=-100, weight=FloatTensor([1, 2, 0.5]))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9, weight_decay=1e-4)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, "min", factor=0.5, patience=2)
    rng, losses = np.random.RandomState(0), []
    for _ in range(steps):
        lengths = [int(n) for n in rng.randint(2, 7, 4)]
        words = [torch.LongTensor(rng.randint(1, 12, n).tolist()) for n in lengths]
        sentences = Variable(pad_sequence(words, batch_first=True).type(LongTensor))
        targets = Variable(pad_sequence([w % 3 for w in words], batch_first=True, padding_value=-100).type(LongTensor))
        model.zero_grad()
        scores, h, c = model(sentences, lengths)
        mask = (targets != -100).type(FloatTensor)
        penalty = (scores.pow(2).mean(2) * mask).sum() / mask.sum() + 0.01 * (h.abs().mean() + c.abs().mean())
        loss = criterion(scores.view(-1, 3), targets.view(-1)) + 0.1 * penalty
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        optimizer.step()
        scheduler.step(loss.data.cpu().numpy().item())
        losses.append(loss.data.item())
    return losses
