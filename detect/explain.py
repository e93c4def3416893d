"""Explain: `python -m detect.explain model=FILE image=FILE output=DIR ...` shows what a network sees at a place."""

import logging
from typing import TYPE_CHECKING

from detect.assembly.command import DONE, command

if TYPE_CHECKING:
    from detect.assembly.settings.explain_settings import ExplainSettings

logger = logging.getLogger("detect.explain")


def run(settings: "ExplainSettings") -> int:
    """Show what a network sees at a place of an image, and write pictures and a page; see `conf/explain.yaml`."""
    from detect.nets.header import read_card

    read_card(settings.model)

    from detect.assembly.explaining.asking_network import check_captum
    from detect.assembly.explaining.explaining_run import explain_folder, explain_image
    from detect.assembly.folders import ExplainPaths
    from detect.nets.modelfile import load_model

    check_captum(settings.methods)
    paths = ExplainPaths(explain_folder(settings))
    net, card = load_model(settings.model)
    explain_image(settings, net, card, paths)
    logger.info("what the network sees: %s", paths.page)
    return DONE


main = command("explain")(run)

if __name__ == "__main__":
    main()
