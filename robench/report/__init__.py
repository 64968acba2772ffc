"""Result cards -> tables. Pure: reads cards, never a model or an image."""
