"""Result cards -> statistics, tables, figures, boards. Pure: reads cards, never a model or an image."""
