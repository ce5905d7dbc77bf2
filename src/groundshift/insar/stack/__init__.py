"""The stack as the steps see it: its reference, when and from where the images were taken, where its pixels are."""
