"""The images as they are: the accuracy that everything else is compared with."""
