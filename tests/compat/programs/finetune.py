"""A transformer that is fine-tuned: groups of parameters, warmup and cosine, added gradients, an averaged model."""

import argparse
import math
from typing import Dict, Optional

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset


class Sentences(Dataset):
    def __init__(self, count=48):
        lengths = [4 + i % 6 for i in range(count)]
        self.tokens = [torch.tensor([1 + (i * 7 + j * j) % 29 for j in range(n)]) for i, n in enumerate(lengths)]

    def __len__(self):
        return len(self.tokens)

    def __getitem__(self, i):
        return {"ids": self.tokens[i], "label": torch.tensor(int(self.tokens[i].sum()) % 3)}


def collate(batch):
    ids = nn.utils.rnn.pad_sequence([each["ids"] for each in batch], batch_first=True)
    return {"ids": ids, "mask": ids.ne(0), "labels": torch.stack([each["label"] for each in batch])}


class Classifier(nn.Module):
    def __init__(self, width: int = 16):
        super().__init__()
        self.tokens = nn.Embedding(30, width, padding_idx=0)
        self.places = nn.Parameter(torch.zeros(1, 12, width))
        layer = nn.TransformerEncoderLayer(width, 2, 32, dropout=0.0, activation="gelu", batch_first=True,
                                           norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(width), enable_nested_tensor=False)
        self.head = nn.Linear(width, 3)
        self.apply(self._init)

    @torch.no_grad()
    def _init(self, module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.trunc_normal_(module.weight, std=0.2)

    def forward(self, ids: Tensor, mask: Tensor, labels: Optional[Tensor] = None) -> Dict[str, Tensor]:
        x = self.encoder(self.tokens(ids) + self.places[:, : ids.size(1)], src_key_padding_mask=~mask)
        weight = mask.unsqueeze(-1).to(x.dtype)
        logits = self.head((x * weight).sum(1) / weight.sum(1).clamp_min(1))
        found = {"logits": logits}
        if labels is not None:
            found["loss"] = F.cross_entropy(logits, labels, label_smoothing=0.05)
        return found


def build():
    return Classifier()


def train(model, steps, accumulate=2, use_compile=False):
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if torch.cuda.device_count() > 1:
        model = nn.DataParallel(model)
    model = model.to(device)
    decayed = [p for p in model.parameters() if p.ndim == 2]
    others = [p for p in model.parameters() if p.ndim != 2]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}],
                                  lr=1e-2, betas=(0.9, 0.95))
    warmup = max(1, steps // 3)
    schedule = LambdaLR(optimizer, lambda step: (step + 1) / warmup if step < warmup else
                        0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup))))
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.5))
    run = torch.compile(model) if use_compile else model
    loader = DataLoader(Sentences(), batch_size=8, collate_fn=collate, num_workers=0)
    losses, batches = [], iter(loader)
    for _ in range(steps):
        for _ in range(accumulate):
            try:
                batch = next(batches)
            except StopIteration:
                batches = iter(loader)
                batch = next(batches)
            batch = {name: value.to(device, non_blocking=True) for name, value in batch.items()}
            loss = run(**batch)["loss"] / accumulate
            loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
        average.update_parameters(model)
        losses.append(loss.item() * accumulate)
    average.eval()
    with torch.inference_mode():
        losses.append(average(**collate([Sentences()[i] for i in range(8)]))["loss"].item())
    return losses


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    torch.manual_seed(0)
    print(train(build(), options.steps, use_compile=options.compile))
