"""Count with onnxruntime and numpy alone: python count_with_onnx.py MODEL.onnx IMAGE, of an image that is one tile.

IMAGE is a picture, or an array (rows, cols, bands) in a .npy file: of more bands than PIL reads, or colours of 16 bits.
"""

import json
import sys
from collections import Counter

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

net, path = onnxruntime.InferenceSession(sys.argv[1]), sys.argv[2]
card = json.loads(net.get_modelmeta().custom_metadata_map["detect"])
patch, slots = card["head"] == "patch", card.get("slots", 1)
if card["head"] == "whole" or not card.get("background", 1) or card["gsd"] or {card["scale"], slots} - {1}:
    sys.exit("this counts one object a cell at most, in images that are not resampled: use detect.predict for others")
picture = np.load(path) if path.endswith(".npy") else ImageOps.exif_transpose(Image.open(path))
picture = picture if getattr(picture, "mode", "F")[0] in "IF" else picture.convert("RGB")  # grey of 16 bits stays
image = np.atleast_3d(np.asarray(picture))[:, :, np.array(card["bands"]) - 1].transpose(2, 0, 1)
size, stride, halo, gap = np.array(image.shape[1:]), card["stride"], card["halo"], card["separation"]
tile = np.pad(image, [(0, 0), *((halo, halo + -side % card["align"]) for side in size)], mode="reflect")
rows, cols = np.ceil((size - patch * card["cell_offset"]) / stride).astype(int)
cells = net.run(None, {"pixels": tile[None]})[0][0, :, halo // stride :, halo // stride :][:, :rows, :cols]
odds = np.logaddexp.reduce(cells[1:]) - cells[0] if patch else cells[0]  # log odds that an object is in the cell
row, col = np.nonzero(odds >= card["log_odds"])
cell, level = cells[:, row, col].astype(float), np.round(odds[row, col] * 1024)
near = np.maximum(abs(row[:, None] - row), abs(col[:, None] - col)) <= (max(1, round(gap / stride)) if patch else 1)
places = card["cell_offset"] + stride * (np.stack([col, row], 1) + (0 if patch else cell[1:3].T))
near &= patch | (np.hypot(*(places[:, None] - places).T) < stride)
top = ~(near & (level > level[:, None])).any(1)  # no cell nearby is likelier, nor as likely and before it
top &= ~(near & (level == level[:, None]) & (top if patch else True) & np.tri(len(row), k=-1, dtype=bool)).any(1)
kind, order = cell[1 if patch else 5 :].argmax(0), np.argsort(-level, kind="stable")
xy, half, kept = np.clip(places, 0, size[::-1]), (card.get("object_size") or 0) / 2, list[int]()
ratio = np.exp(np.clip(0 if patch else cell[3:5].T, -6, 6))  # of sides, to the usual one
low, high = (np.clip(xy + side * ratio, 0, size[::-1]) for side in (-half, half))
for i in order[top[order]]:  # from the likeliest down
    shared = np.prod(np.maximum(np.minimum(high[i], high[kept]) - np.maximum(low[i], low[kept]), 0), 1)
    union = np.prod(high[i] - low[i]) + np.prod(high[kept] - low[kept], 1) - shared
    far = np.hypot(*(xy[kept] - xy[i]).T) >= gap
    kept += [i] if patch or ((kind[kept] != kind[i]) | (shared <= gap * union) if half else far).all() else []
print(json.dumps(Counter(card["classes"][kind[i]] for i in kept)))
