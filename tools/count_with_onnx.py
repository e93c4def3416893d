"""Count with onnxruntime and numpy alone: python count_with_onnx.py MODEL.onnx IMAGE, of an image that is one tile."""

import json
import sys
from collections import Counter

import numpy as np
import onnxruntime
from PIL import Image

net = onnxruntime.InferenceSession(sys.argv[1])
card = json.loads(net.get_modelmeta().custom_metadata_map["detect"])
if card["head"] == "whole" or card["scale"] != 1 or card["gsd"]:
    sys.exit("this counts in images as they are, with net=patch or net=grid: resample the image, or use detect.predict")
image = np.asarray(Image.open(sys.argv[2]).convert("RGB")).transpose(2, 0, 1)
size, stride, halo, patch = np.array(image.shape[1:]), card["stride"], card["halo"], card["head"] == "patch"
tile = np.pad(image, [(0, 0), *((halo, halo + -side % card["align"]) for side in size)], mode="reflect")
rows, cols = np.ceil((size - patch * card["cell_offset"]) / stride).astype(int)
cells = net.run(None, {"pixels": tile[None]})[0][0, :, halo // stride :, halo // stride :][:, :rows, :cols]
odds = np.logaddexp.reduce(cells[1:]) - cells[0] if patch else cells[0]  # log odds that an object is in the cell
row, col = np.nonzero(odds >= card["log_odds"])
cell, level = cells[:, row, col].astype(float), np.round(odds[row, col] * 1024)
reach = max(1, round(card["separation"] / stride)) if patch else 1
near = np.maximum(abs(row[:, None] - row), abs(col[:, None] - col)) <= reach
places = card["cell_offset"] + stride * (np.stack([col, row], 1) + (0 if patch else cell[1:3].T))
near &= patch | (np.hypot(*(places[:, None] - places).T) < stride)
top = ~(near & (level > level[:, None])).any(1)  # no cell nearby is likelier, nor as likely and before it
top &= ~(near & (level == level[:, None]) & (top if patch else True) & np.tri(len(row), k=-1, dtype=bool)).any(1)
kind, order = cell[1 if patch else 5 :].argmax(0), np.argsort(-level, kind="stable")
xy, side = np.clip(places, 0, size[::-1]), card.get("object_size") or 0
half = side / 2 * np.exp(np.clip(0 if patch else cell[3:5].T, -6, 6))
low, high = (np.clip(edge, 0, size[::-1]) for edge in (xy - half, xy + half))
kept: list[int] = []
for i in order[top[order]]:  # from the likeliest down
    shared = np.prod(np.maximum(np.minimum(high[i], high[kept]) - np.maximum(low[i], low[kept]), 0), 1)
    union = np.prod(high[i] - low[i]) + np.prod(high[kept] - low[kept], 1) - shared
    far = np.hypot(*(xy[kept] - xy[i]).T) >= card["separation"]
    apart = (kind[kept] != kind[i]) | (shared <= card["separation"] * union) if side else far
    kept += [i] if patch or apart.all() else []
print(json.dumps(Counter(card["classes"][kind[i]] for i in kept)))
