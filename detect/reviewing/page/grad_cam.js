// Grad-CAM of the selected detection over the photograph: asked of the server on a key, removed by the same one or Escape.

import { get } from "./server.js";

export class GradCam {
  constructor(review, acts) {
    Object.assign(this, { review, acts, asked: null });
  }

  // Shows it of the selected object, or of the one at the pointer; what is shown or waited for is removed instead.
  async toggle(score, atPointer) {
    const { review, acts } = this;
    if (!review.session.explains) return acts.say("Detections are not explained on this page.");
    if (!review.chosen) {
      const nearest = atPointer();
      if (!nearest) return acts.say("Select an object first: click it, or press J.");
      acts.select(nearest.id);
    }
    const { image, chosen } = review;
    const same = (each) => each?.image === image && each.id === chosen.id && each.score === score;
    if (same(this.asked) || same(review.cam)) return this.remove();
    await this.show({ image, id: chosen.id, score });
  }

  async show(asked) {
    const { review, acts } = this;
    this.asked = asked;
    review.cam = null;
    acts.camChanged(null);
    acts.say("Grad-CAM is being computed; the first time the network is read, too.");
    try {
      const { picture, place, words } = await get(`api/images/${asked.image}/grad_cam?${new URLSearchParams({ id: asked.id, score: asked.score })}`);
      const drawn = new Image();
      drawn.src = picture;
      await drawn.decode();
      if (this.asked !== asked) return;
      review.cam = { ...asked, place, picture: drawn };
      if (review.camShown) acts.say(`${words} G or Esc removes it.`);
    } catch (error) {
      if (this.asked !== asked) return;
      acts.say("");
      acts.camChanged(error);
    } finally {
      if (this.asked === asked) {
        this.asked = null;
        acts.camChanged();
      }
    }
  }

  // Removes what is shown or waited for, and tells whether there was any.
  remove() {
    const { review, acts } = this;
    const there = review.camShown || this.asked !== null;
    this.asked = null;
    review.cam = null;
    if (there) {
      acts.say("");
      acts.camChanged();
    }
    return there;
  }
}
