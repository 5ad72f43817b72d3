"""Train a student on this folder's images and soft labels: run it inside the folder. README.md explains the tensors."""

import math

import torch
import torch.nn.functional as F
import torchvision.transforms.functional as tv
from safetensors.torch import load_file
from torchvision import datasets, models

told = load_file("labels.safetensors", device := "cuda" if torch.cuda.is_available() else "cpu")
images = torch.stack([tv.to_tensor(image) for image, _ in datasets.ImageFolder("images")]).to(device)
size, fixed, names = images.shape[2:], told["fixed_labels"], ("rows", "crops", "flips", "partners", "soft")
torch.manual_seed(0)
student = models.resnet18(num_classes=told["teacher_logits"].shape[2]).to(device)  # or any other network
batch, optimizer = told["batch_size"].item(), torch.optim.AdamW(student.parameters(), weight_decay=1e-5)
for epoch in range(told["epochs"]):
    optimizer.param_groups[0]["lr"] = 5e-4 * (1 + math.cos(math.pi * epoch / told["epochs"] / 2))  # 1e-3 to half
    now, losses = {name: value[epoch % len(value)] for name, value in told.items() if value.ndim}, []  # few: in turn
    logits = now["teacher_logits"] * now["logit_steps"].double() + now["logit_offsets"]
    now["soft"] = (logits[now["rows"] if fixed else ...] / told["temperature"]).softmax(1)
    parts = (now[name].tensor_split([*range(batch, batch * len(now["cutmix_lambda"]), batch)]) for name in names)
    for rows, crops, flips, mix, soft, box, own in zip(*parts, now["cutmix_boxes"], now["cutmix_lambda"], strict=True):
        x = [tv.resized_crop(images[i], *crop, size, antialias=False) for i, crop in zip(rows, crops, strict=True)]
        x = torch.where(flips[:, None, None, None], torch.stack(x).flip(3), torch.stack(x))
        x = (tv.erase(x, *box, tv.crop(x[mix], *box)) - told["pixel_mean"]) / told["pixel_std"]  # CutMix
        answer = (torch.cat([student(half) for half in x.chunk(1 + (len(x) > 3))]) / told["temperature"]).log_softmax(1)
        losses.append(F.kl_div(answer, soft.lerp(soft[mix], (1 - own) * fixed), reduction="batchmean"))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    print(f"epoch {epoch + 1}: loss {sum(losses) / len(losses):.6f}")
torch.save(student.state_dict(), "student.pt")
