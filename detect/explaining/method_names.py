"""What `detect.explain` can show, by the words of its setting; without torch."""

ATTRIBUTIONS = ("saliency", "smoothgrad", "integrated_gradients", "gradcam", "guided_gradcam", "occlusion")
"""How much each pixel counts for a score."""

SECTIONS = ("features", "maximise", "field", "layers")
"""What is shown of the network itself."""

WORDS = {
    "saliency": "Saliency",
    "smoothgrad": "SmoothGrad",
    "integrated_gradients": "Integrated gradients",
    "gradcam": "Grad-CAM",
    "guided_gradcam": "Guided Grad-CAM",
    "occlusion": "Occlusion",
    "features": "Feature maps",
    "maximise": "Activation maximisation",
    "field": "Receptive field",
    "layers": "Layers",
}
"""What they are called."""

MEANINGS = {
    "saliency": "How much the score changes with each pixel: the size of its gradient.",
    "smoothgrad": "The gradient averaged over noisy copies of the pixels.",
    "integrated_gradients": "What each pixel adds to the score, summed on the way from a blank picture to this one; "
    "red speaks for it, blue against it.",
    "gradcam": "Where the last features speak for the score, as coarse as their cells.",
    "guided_gradcam": "Grad-CAM times gradients of which only those that speak for the score are passed on.",
    "occlusion": "By how much the score falls where a blank square hides the picture; red speaks for it, blue against.",
}
"""What the maps of attributions show."""


def check_methods(names: tuple[str, ...]) -> None:
    """Check that there are methods of these names, each asked for once.

    Raises:
        ValueError: there is none of a name, or none is asked for.
    """
    known = (*ATTRIBUTIONS, *SECTIONS)
    for name in names:
        if name not in known:
            raise ValueError(f"methods must be of {', '.join(known)}, got {name}")
    if not names or len(set(names)) < len(names):
        raise ValueError(f"methods must be one or more, each named once, got [{','.join(names)}]")
