"""Views: pure functions from images to images, every draw from a passed generator."""

from fd2lib.views.crops import attention_boxes, attention_crop, attention_drop, crop_resize, random_resized_crop_boxes
from fd2lib.views.mixing import box_around, cutmix, cutmix_box, tile_mosaic
from fd2lib.views.replay import BatchPlan, apply_plan, halves, plan_epoch
from fd2lib.views.training import colour_jitter, per_channel, rotate, shift_hue, training_views
