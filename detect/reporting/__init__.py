"""What people read: tables, pictures, and the report as one HTML page. Nothing here computes a result."""

from detect.imagery.files import replace_file
from detect.reporting.captions import with_legend
from detect.reporting.colours import PALETTE, class_colours, to_display
from detect.reporting.crops import choose, crops_sheet, read_crops
from detect.reporting.files import write_bytes, write_json, write_picture, write_text
from detect.reporting.page import write_report
from detect.reporting.pictures import display_preview, heat_picture, overlay
from detect.reporting.predictions import heatmap_path, overlay_path
from detect.reporting.tables import IMAGE, TOTAL, counts_table, read_counts, write_table

__all__ = [
    "IMAGE",
    "PALETTE",
    "TOTAL",
    "choose",
    "class_colours",
    "counts_table",
    "crops_sheet",
    "display_preview",
    "heat_picture",
    "heatmap_path",
    "overlay",
    "overlay_path",
    "read_counts",
    "read_crops",
    "replace_file",
    "to_display",
    "with_legend",
    "write_bytes",
    "write_json",
    "write_picture",
    "write_report",
    "write_table",
    "write_text",
]
