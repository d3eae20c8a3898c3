//! Writing into cells: clipped to its row, and counted.

use super::super::palette::Palette;
use crate::terminal::{cut, width};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Eighths of a cell, from one to seven.
const EIGHTHS: [&str; 7] = ["▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// A buffer and the colours there are.
pub(super) struct Pen<'a> {
    pub(super) buffer: &'a mut Buffer,
    pub(super) palette: Palette,
}

impl Pen<'_> {
    /// Writes clean text into a row from a column of it on; answers the column behind it.
    pub(super) fn put(&mut self, row: Rect, column: u16, text: &str, style: Style) -> u16 {
        let room = row.width.saturating_sub(column);
        if row.height == 0 || room == 0 {
            return column;
        }
        let (end, _) = self.buffer.set_stringn(
            row.x + column,
            row.y,
            cut(text, usize::from(room)),
            usize::from(room),
            style,
        );
        end.saturating_sub(row.x)
    }

    /// The same, ending `from_right` cells before the row's end; answers the cells it took.
    pub(super) fn put_right(&mut self, row: Rect, from_right: u16, text: &str, style: Style) -> u16 {
        let room = row.width.saturating_sub(from_right);
        let text = cut(text, usize::from(room));
        let cells = width(&text) as u16;
        self.put(Rect { width: room, ..row }, room - cells, &text, style);
        cells
    }

    /// One glyph of one cell all over an area.
    pub(super) fn fill(&mut self, area: Rect, glyph: &str, style: Style) {
        let area = area.intersection(self.buffer.area);
        for y in area.top()..area.bottom() {
            for x in area.left()..area.right() {
                if let Some(cell) = self.buffer.cell_mut((x, y)) {
                    cell.set_symbol(glyph).set_style(style);
                }
            }
        }
    }

    /// A bar over a part of a row, to an eighth of a cell; something is never nothing.
    pub(super) fn bar(&mut self, row: Rect, part: f64, style: Style) {
        if part <= 0.0 || row.width == 0 {
            return;
        }
        let eighths = ((part.min(1.0) * f64::from(row.width) * 8.0).round() as u16).max(1);
        self.fill(Rect { width: eighths / 8, height: 1, ..row }, "█", style);
        if let Some(last) = usize::from(eighths % 8).checked_sub(1).and_then(|i| EIGHTHS.get(i)) {
            self.put(row, eighths / 8, last, style);
        }
    }
}
