"""Segmentation from image files: a data set with paired transforms, workers, Dice loss, checkpoint and resume."""

import os
import random
import tempfile

import numpy as np
import torch
import torch.nn as nn
from PIL import Image
from torch.utils.data import DataLoader, Dataset


class Compose:
    def __init__(self, transforms):
        self.transforms = transforms

    def __call__(self, image, mask, rng):
        for transform in self.transforms:
            image, mask = transform(image, mask, rng)
        return image, mask


class RandomCrop:
    def __init__(self, size):
        self.size = size

    def __call__(self, image, mask, rng):
        left, top = rng.randint(0, image.width - self.size), rng.randint(0, image.height - self.size)
        box = (left, top, left + self.size, top + self.size)
        return image.crop(box), mask.crop(box)


class RandomHorizontalFlip:
    def __call__(self, image, mask, rng):
        if rng.random() < 0.5:
            return image, mask
        return image.transpose(Image.FLIP_LEFT_RIGHT), mask.transpose(Image.FLIP_LEFT_RIGHT)


class ToTensor:
    def __call__(self, image, mask, rng):
        image = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div(255)
        return image, torch.as_tensor(np.array(mask) > 127, dtype=torch.float32).unsqueeze(0)


class Normalize:
    def __init__(self, mean, std):
        self.mean, self.std = torch.tensor(mean).view(-1, 1, 1), torch.tensor(std).view(-1, 1, 1)

    def __call__(self, image, mask, rng):
        return image.sub_(self.mean).div_(self.std), mask


class Shapes(Dataset):
    """Disks on a gradient, as PNG files; a picture and its mask are cropped and mirrored together."""

    def __init__(self, root, count, size=24, transform=None):
        self.root, self.names, self.transform = root, [f"{i:03}.png" for i in range(count)], transform
        os.makedirs(os.path.join(root, "images"), exist_ok=True)
        os.makedirs(os.path.join(root, "masks"), exist_ok=True)
        rows, columns = np.mgrid[:size, :size]
        for i, name in enumerate(self.names):
            disk = (rows - 6 - i % 9) ** 2 + (columns - 16 + i % 7) ** 2 < 30
            image = np.stack([rows * 5, columns * 5, rows + columns], -1) + disk[..., None] * np.array([90, 60, 120])
            Image.fromarray(image.astype(np.uint8)).save(os.path.join(root, "images", name))
            Image.fromarray(disk.astype(np.uint8) * 255).save(os.path.join(root, "masks", name))

    def __len__(self):
        return len(self.names)

    def __getitem__(self, index):
        image = Image.open(os.path.join(self.root, "images", self.names[index])).convert("RGB")
        mask = Image.open(os.path.join(self.root, "masks", self.names[index])).convert("L")
        return self.transform(image, mask, random.Random(index))  # the same in every worker


def block(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.GroupNorm(2, outputs), nn.LeakyReLU(0.1, True))


class UNet(nn.Module):
    def __init__(self, widths=(4, 8, 16)):
        super().__init__()
        self.pool = nn.MaxPool2d(2)
        self.downs = nn.ModuleList(block(a, b) for a, b in zip((3, *widths), widths))
        pairs = list(zip(widths[::-1], widths[-2::-1]))
        self.ups = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, stride=2) for a, b in pairs)
        self.blocks = nn.ModuleList(block(2 * b, b) for _, b in pairs)
        self.head = nn.Conv2d(widths[0], 1, 1)

    def forward(self, x):
        skips = []
        for down in self.downs[:-1]:
            x = down(x)
            skips.append(x)
            x = self.pool(x)
        x = self.downs[-1](x)
        for up, merge, skip in zip(self.ups, self.blocks, reversed(skips)):
            x = merge(torch.cat((skip, up(x)), dim=1))
        return self.head(x)


class DiceLoss(nn.Module):
    def __init__(self, smooth=1.0):
        super().__init__()
        self.smooth = smooth

    def forward(self, logits, targets):
        probabilities, targets = logits.sigmoid().flatten(1), targets.flatten(1)
        overlap = (probabilities * targets).sum(1)
        return 1 - ((2 * overlap + self.smooth) / (probabilities.sum(1) + targets.sum(1) + self.smooth)).mean()


def build():
    return UNet()


def prepared(model, steps):
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-3)
    return optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)


def train(model, steps):
    losses, bce, dice = [], nn.BCEWithLogitsLoss(), DiceLoss()
    with tempfile.TemporaryDirectory() as folder:
        data = Shapes(folder, 4 * steps, transform=Compose([
            RandomCrop(16), RandomHorizontalFlip(), ToTensor(), Normalize([0.5, 0.5, 0.5], [0.25, 0.25, 0.25])]))
        loader = DataLoader(data, batch_size=4, shuffle=False, num_workers=2, pin_memory=torch.cuda.is_available(),
                            drop_last=True, persistent_workers=True)
        optimizer, scheduler = prepared(model, steps)
        path = os.path.join(folder, "checkpoint.pth")
        for step, (images, masks) in enumerate(loader):
            if step == steps // 2:  # interrupted: the rest is done by another model from the file
                torch.save({"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict(),
                            "scheduler": scheduler.state_dict()}, path)
                checkpoint, model = torch.load(path, map_location="cpu"), UNet()
                optimizer, scheduler = prepared(model, steps)
                model.load_state_dict(checkpoint["model"])
                optimizer.load_state_dict(checkpoint["optimizer"])
                scheduler.load_state_dict(checkpoint["scheduler"])
                assert checkpoint["step"] == step
            logits = model(images)
            loss = bce(logits, masks) + dice(logits, masks)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            scheduler.step()
            losses.append(loss.item())
        model.eval()
        with torch.inference_mode():
            images, masks = next(iter(DataLoader(data, batch_size=len(data))))
            losses.append(dice(model(images), masks).item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    print(train(build(), 6))
