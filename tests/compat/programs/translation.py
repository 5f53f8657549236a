"""A transformer that learns to reverse sequences: masks, smoothed labels, the rate of the original paper."""

import math

import numpy as np
import torch
import torch.nn as nn
from torch import Tensor
from torch.nn import Transformer
from torch.optim.lr_scheduler import LambdaLR

PAD, BOS = 0, 1


class PositionalEncoding(nn.Module):
    def __init__(self, emb_size: int, dropout: float, maxlen: int = 20):
        super().__init__()
        den = torch.exp(-torch.arange(0, emb_size, 2) * math.log(10000) / emb_size)
        pos = torch.arange(0, maxlen).reshape(maxlen, 1)
        pos_embedding = torch.zeros((maxlen, emb_size))
        pos_embedding[:, 0::2] = torch.sin(pos * den)
        pos_embedding[:, 1::2] = torch.cos(pos * den)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("pos_embedding", pos_embedding.unsqueeze(-2))

    def forward(self, token_embedding: Tensor):
        return self.dropout(token_embedding + self.pos_embedding[:token_embedding.size(0), :])


class Seq2Seq(nn.Module):
    def __init__(self, vocab=10, emb=16):
        super().__init__()
        self.transformer = Transformer(d_model=emb, nhead=2, num_encoder_layers=1, num_decoder_layers=1,
                                       dim_feedforward=24, dropout=0.0)
        self.generator = nn.Linear(emb, vocab)
        self.tok_emb = nn.Embedding(vocab, emb)
        self.emb_size = emb
        self.positional_encoding = PositionalEncoding(emb, dropout=0.0)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.xavier_uniform_(p)

    def embed(self, tokens: Tensor):
        return self.positional_encoding(self.tok_emb(tokens.long()) * math.sqrt(self.emb_size))

    def forward(self, src, trg, src_mask, tgt_mask, src_padding_mask, tgt_padding_mask):
        outs = self.transformer(self.embed(src), self.embed(trg), src_mask, tgt_mask, None,
                                src_padding_mask, tgt_padding_mask, src_padding_mask)
        return self.generator(outs)


def generate_square_subsequent_mask(sz):
    mask = (torch.triu(torch.ones((sz, sz))) == 1).transpose(0, 1)
    return mask.float().masked_fill(mask == 0, float("-inf")).masked_fill(mask == 1, float(0.0))


class LabelSmoothing(nn.Module):
    def __init__(self, size, padding_idx, smoothing=0.0):
        super().__init__()
        self.criterion = nn.KLDivLoss(reduction="sum")
        self.padding_idx, self.smoothing, self.size = padding_idx, smoothing, size

    def forward(self, x, target):
        true_dist = x.data.clone()
        true_dist.fill_(self.smoothing / (self.size - 2))
        true_dist.scatter_(1, target.data.unsqueeze(1), 1.0 - self.smoothing)
        true_dist[:, self.padding_idx] = 0
        mask = torch.nonzero(target.data == self.padding_idx)
        if mask.dim() > 0:
            true_dist.index_fill_(0, mask.squeeze(), 0.0)
        return self.criterion(x, true_dist.clone().detach())


def build():
    return Seq2Seq()


def train(model, steps):
    criterion = LabelSmoothing(10, PAD, 0.1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1.0, betas=(0.9, 0.98), eps=1e-9)
    scheduler = LambdaLR(optimizer, lambda s: 16 ** -0.5 * min(max(s, 1) ** -0.5, max(s, 1) * 20 ** -1.5))
    rng, losses = np.random.RandomState(0), []
    for _ in range(steps):
        lengths = rng.randint(3, 7, 4)
        src, tgt = np.full((6, 4), PAD), np.full((7, 4), PAD)
        for i, n in enumerate(lengths):
            src[:n, i] = rng.randint(2, 10, n)
            tgt[0, i], tgt[1:n + 1, i] = BOS, src[:n, i][::-1]
        src, tgt = torch.from_numpy(src), torch.from_numpy(tgt)
        tgt_input, tgt_out = tgt[:-1, :], tgt[1:, :]
        src_mask = torch.zeros((src.shape[0], src.shape[0])).type(torch.bool)
        logits = model(src, tgt_input, src_mask, generate_square_subsequent_mask(tgt_input.shape[0]) == float("-inf"),
                       (src == PAD).transpose(0, 1), (tgt_input == PAD).transpose(0, 1))
        x = logits.reshape(-1, logits.shape[-1]).log_softmax(dim=-1)
        loss = criterion(x, tgt_out.reshape(-1)) / (tgt_out != PAD).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return losses
