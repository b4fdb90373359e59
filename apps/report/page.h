// The frame of a report and its parts as HTML: sections, tables, figures. One file that needs nothing else.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "data/images/image.h"

namespace preceptor {

// A picture inside the page.
std::string data_uri(const Image& image);

struct Cell {
  Cell(std::string words, std::string further = "", bool bold = false)
      : text(std::move(words)), small(std::move(further)), strong(bold) {}
  std::string text, small;  // small: further lines, as an interval
  bool strong;
};

struct TableRow {
  std::string name;  // the row's header
  std::vector<Cell> cells;
  std::string small = {};   // further lines of the header
  std::string swatch = {};  // class of its color; empty: none
};

struct Table {
  std::string caption;              // also what a screen reader announces
  std::vector<std::string> header;  // over the row headers first
  std::vector<TableRow> rows = {};
};
// In a frame that scrolls sideways where the screen is narrow, also by keyboard. All text is escaped.
std::string render(const Table& table);

// A titled part of the page, in the table of contents by its heading.
struct Section {
  std::string id, heading;
  std::string note = {};     // how to read it; HTML
  std::string content = {};  // HTML
};

// Charts in a row that wraps; each is an SVG or image with what stands above it.
struct Panel {
  std::string heading, style, content;
  std::vector<std::pair<std::string, std::string>> legend = {};  // words and the class of their color
};
std::string panels(const std::vector<Panel>& panels, const std::string& style = "");

std::string card(const std::string& content);

// Name and value, one below the other; `compact` in several columns, for many short values.
std::string definitions(const std::vector<std::pair<std::string, std::string>>& entries, bool compact = false);

// The large numbers at the top.
struct KeyFigure {
  std::string value, name, small;
};
std::string key_figures(const std::vector<KeyFigure>& figures);

struct Page {
  std::string title, lead;  // plain text
  std::string summary;      // plain text, one or more paragraphs divided by newlines
  std::string opening;      // HTML between the summary and the first section
  std::vector<Section> sections;
  std::string footer;  // plain text
};
std::string render(const Page& page);

}  // namespace preceptor
