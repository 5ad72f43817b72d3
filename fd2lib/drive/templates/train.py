"""Train a student on this folder's images and soft labels: run it inside the folder. README.md explains the tensors."""

import math

import torch
import torch.nn.functional as F
import torchvision.transforms.functional as tv
from safetensors.torch import load_file
from torchvision import datasets, models

told = load_file("labels.safetensors", device := "cuda" if torch.cuda.is_available() else "cpu")
images = torch.stack([tv.to_tensor(image) for image, _ in datasets.ImageFolder("images")]).to(device)
size, names = images.shape[2:], ("rows", "crops", "flips", "partners", "teacher_logits")
torch.manual_seed(0)
student = models.resnet18(num_classes=told["teacher_logits"].shape[2]).to(device)  # or any other network
optimizer = torch.optim.AdamW(student.parameters(), weight_decay=1e-5)
for epoch, boxes in enumerate(told["cutmix_boxes"].tolist()):
    optimizer.param_groups[0]["lr"] = 5e-4 * (1 + math.cos(math.pi * epoch / len(told["rows"]) / 2))  # 1e-3 to half
    views, losses = [told[name][epoch].split(told["batch_size"].item()) for name in names], []
    for rows, crops, flips, partners, logits, box in zip(*views, boxes, strict=True):
        x = [tv.resized_crop(images[i], *crop, size, antialias=False) for i, crop in zip(rows, crops, strict=True)]
        x = torch.where(flips[:, None, None, None], torch.stack(x).flip(3), torch.stack(x))
        x = (tv.erase(x, *box, tv.crop(x[partners], *box)) - told["pixel_mean"]) / told["pixel_std"]  # CutMix
        answer = torch.cat([student(half) for half in x.chunk(1 + (len(x) > 3))]) / told["temperature"]
        losses.append(F.kl_div(answer.log_softmax(1), (logits / told["temperature"]).softmax(1), reduction="batchmean"))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    print(f"epoch {epoch + 1}: loss {sum(losses) / len(losses):.6f}")
torch.save(student.state_dict(), "student.pt")
