// Draws the objects, the window and the cross over the photograph. Shapes differ by class, so that colour is not needed.

const DARK = "rgb(12 14 18)";
const SIZE = 9; // radius of a point's mark in pixels of the screen

const corners = (number, turn) =>
  Array.from({ length: number }, (_, i) => {
    const angle = turn + (2 * Math.PI * i) / number;
    return [Math.cos(angle), Math.sin(angle)];
  });
const star = corners(10, -Math.PI / 2).map(([x, y], i) => (i % 2 ? [x * 0.5, y * 0.5] : [x * 1.15, y * 1.15]));
const SHAPES = [null, corners(4, Math.PI / 4), corners(3, -Math.PI / 2), corners(4, 0), corners(3, Math.PI / 2), corners(6, 0), star, corners(5, -Math.PI / 2)];

export function trace(context, label, x, y, radius) {
  const shape = SHAPES[label % SHAPES.length];
  context.beginPath();
  if (shape === null) context.arc(x, y, radius, 0, 2 * Math.PI);
  else shape.forEach(([dx, dy], i) => context[i ? "lineTo" : "moveTo"](x + dx * radius * 1.15, y + dy * radius * 1.15));
  context.closePath();
}

function stroked(context, colour, width) {
  context.lineWidth = width + 2.5;
  context.strokeStyle = DARK;
  context.stroke();
  context.lineWidth = width;
  context.strokeStyle = colour;
  context.stroke();
}

export class Drawing {
  constructor(viewer, review) {
    this.viewer = viewer;
    this.review = review;
    this.canvas = document.createElement("canvas");
    this.canvas.className = "marks";
    viewer.canvas.append(this.canvas);
    this.asked = false;
    for (const event of ["update-viewport", "resize", "open"]) viewer.addHandler(event, () => this.ask());
  }

  ask() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      this.draw();
    });
  }

  // From pixels of the photograph to those of the screen: x * scale + left, y * scale + top.
  get view() {
    const item = this.viewer.world.getItemAt(0);
    if (!item) return null;
    const first = item.imageToViewerElementCoordinates(new OpenSeadragon.Point(0, 0));
    const second = item.imageToViewerElementCoordinates(new OpenSeadragon.Point(1000, 0));
    return { left: first.x, top: first.y, scale: (second.x - first.x) / 1000 };
  }

  draw() {
    const { canvas, view } = this;
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = canvas;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    if (!view) return;
    const { review } = this;
    this.drawn = 0;
    this.cam(context, view);
    this.around(context, view, width, height);
    const margin = 40;
    for (const each of review.objects) {
      if (!review.shown(each) || each.id === review.draft?.id) continue;
      const x = each.x * view.scale + view.left;
      const y = each.y * view.scale + view.top;
      const reach = margin + (Math.max(each.w ?? 0, each.h ?? 0) / 2) * view.scale;
      if (x < -reach || y < -reach || x > width + reach || y > height + reach) continue;
      this.mark(context, each, view);
      this.drawn += 1;
    }
    if (review.draft) this.mark(context, review.draft, view);
    if (review.cross && review.mode !== "select") this.crossHair(context, view);
  }

  cam(context, view) {
    if (!this.review.camShown) return;
    const { picture, place: [left, top, width, height] } = this.review.cam;
    context.drawImage(picture, left * view.scale + view.left, top * view.scale + view.top, width * view.scale, height * view.scale);
  }

  around(context, view, width, height) {
    for (const [row, col, high, wide] of this.review.reviewed) {
      context.beginPath();
      context.rect(col * view.scale + view.left, row * view.scale + view.top, wide * view.scale, high * view.scale);
      stroked(context, "#fff", 1.5);
    }
    const window = this.review.window;
    if (!window) return;
    const box = [window.col * view.scale + view.left, window.row * view.scale + view.top, window.width * view.scale, window.height * view.scale];
    context.fillStyle = "rgb(0 0 0 / .6)";
    context.beginPath();
    context.rect(0, 0, width, height);
    context.rect(...box);
    context.fill("evenodd");
    context.beginPath();
    context.rect(...box);
    context.setLineDash([]);
    context.lineWidth = 4;
    context.strokeStyle = DARK;
    context.stroke();
    context.lineWidth = 2;
    context.strokeStyle = "#fff";
    if (!this.review.session.windows[this.review.task].reviewed) context.setLineDash([10, 6]);
    context.stroke();
    context.setLineDash([]);
  }

  mark(context, object, view) {
    const { review } = this;
    const x = object.x * view.scale + view.left;
    const y = object.y * view.scale + view.top;
    const [red, green, blue] = review.session.classes[object.label].colour;
    const colour = `rgb(${red} ${green} ${blue})`;
    const rejected = object.status === "rejected";
    const boxed = object.w !== null && object.w !== undefined;
    const half = boxed ? [Math.max(4, (object.w / 2) * view.scale), Math.max(4, (object.h / 2) * view.scale)] : [SIZE, SIZE];
    context.globalAlpha = review.window && !review.inside(object, review.window) ? 0.5 : 1;
    context.setLineDash(rejected ? [3, 3] : []);
    if (boxed) {
      context.beginPath();
      context.rect(x - half[0], y - half[1], 2 * half[0], 2 * half[1]);
      stroked(context, rejected ? "#c8c8c8" : colour, 2);
      context.setLineDash([]);
      trace(context, object.label, x - half[0], y - half[1], 5);
    } else {
      trace(context, object.label, x, y, SIZE);
    }
    stroked(context, rejected ? "#c8c8c8" : colour, 2);
    context.setLineDash([]);
    if (rejected) {
      context.beginPath();
      for (const side of [1, -1]) {
        context.moveTo(x - SIZE, y - side * SIZE);
        context.lineTo(x + SIZE, y + side * SIZE);
      }
      stroked(context, "#fff", 2);
    } else if (review.confirmed(object)) {
      context.beginPath();
      context.arc(x, y, 2.5, 0, 2 * Math.PI);
      stroked(context, colour, 2);
    }
    if (object.id === review.selected || object === review.draft) this.ring(context, x, y, half, boxed);
    context.globalAlpha = 1;
  }

  ring(context, x, y, half, boxed) {
    const [across, down] = half.map((each) => each + 6);
    context.beginPath();
    if (boxed) context.rect(x - across, y - down, 2 * across, 2 * down);
    else context.arc(x, y, across, 0, 2 * Math.PI);
    context.setLineDash([5, 4]);
    stroked(context, "#fff", 2);
    context.setLineDash([]);
    if (!boxed) return;
    for (const [dx, dy] of [[-1, -1], [1, -1], [-1, 1], [1, 1]]) {
      context.beginPath();
      context.rect(x + dx * half[0] - 4, y + dy * half[1] - 4, 8, 8);
      context.fillStyle = "#fff";
      context.fill();
      stroked(context, "#fff", 1);
    }
  }

  crossHair(context, view) {
    const x = this.review.cross.x * view.scale + view.left;
    const y = this.review.cross.y * view.scale + view.top;
    context.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + 4 * dx, y + 4 * dy);
      context.lineTo(x + 22 * dx, y + 22 * dy);
    }
    stroked(context, "#fff", 2);
  }
}
