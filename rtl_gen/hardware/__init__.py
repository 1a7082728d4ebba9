"""The accelerator in Amaranth, leaf to top; the only folder that describes hardware."""
