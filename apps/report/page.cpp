// HTML of a report.
#include "apps/report/page.h"

#include <algorithm>
#include <sstream>

#include "apps/report/style.h"
#include "apps/report/text.h"
#include "data/images/png_writer.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

std::string base64(const std::string& bytes) {
  constexpr const char* letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t given = std::min<std::size_t>(3, bytes.size() - i);
    unsigned group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (k < given ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k) out += k <= given ? letters[group >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

std::string small(const std::string& words) {
  std::istringstream lines(words);
  std::string out;
  for (std::string line; std::getline(lines, line);) out += "<small>" + escape_html(line) + "</small>";
  return out;
}

std::string legend_html(const Panel& panel) {
  if (panel.legend.empty()) return {};
  std::string out = "<p class=\"legend\">";
  for (const auto& [words, style] : panel.legend)
    out += message("<span class=\"", style, "\">", escape_html(words), "</span> ");
  return out + "</p>";
}

std::string row_html(const TableRow& row) {
  std::string out =
      message("<tr><th scope=\"row\">", row.swatch.empty() ? "" : "<span class=\"swatch " + row.swatch + "\"></span>",
              escape_html(row.name), small(row.small), "</th>");
  for (const Cell& cell : row.cells) {
    const std::string text = escape_html(cell.text);
    out += "<td>" + (cell.strong ? "<b>" + text + "</b>" : text) + small(cell.small) + "</td>";
  }
  return out + "</tr>\n";
}

std::string contents(const std::vector<Section>& sections) {
  std::string out = "<nav aria-label=\"Parts of this report\"><ul>\n";
  for (const Section& section : sections)
    out += message("<li><a href=\"#", section.id, "\">", escape_html(section.heading), "</a></li>\n");
  return out + "</ul></nav>\n";
}

std::string paragraphs(const std::string& text) {
  std::istringstream lines(text);
  std::string out;
  for (std::string line; std::getline(lines, line);)
    if (!line.empty()) out += "<p>" + escape_html(line) + "</p>\n";
  return out;
}

}  // namespace

std::string data_uri(const Image& image) { return "data:image/png;base64," + base64(png_bytes(image)); }

std::string render(const Table& table) {
  const std::string caption = escape_html(table.caption);
  std::string out = message("<div class=\"card scroll\" tabindex=\"0\" role=\"region\" aria-label=\"", caption,
                            "\"><table><caption>", caption, "</caption><thead><tr>");
  for (const std::string& name : table.header) out += "<th scope=\"col\">" + escape_html(name) + "</th>";
  out += "</tr></thead>\n<tbody>\n";
  for (const TableRow& row : table.rows) out += row_html(row);
  return out + "</tbody></table></div>\n";
}

std::string panels(const std::vector<Panel>& all, const std::string& style) {
  std::string out = message("<div class=\"panels", style.empty() ? "" : " " + style, "\">\n");
  for (const Panel& panel : all)
    out += message(
        "<div class=\"card\">",
        panel.heading.empty() ? "" : message("<h3 class=\"", panel.style, "\">", escape_html(panel.heading), "</h3>"),
        legend_html(panel), panel.content, "</div>\n");
  return out + "</div>\n";
}

std::string card(const std::string& content) { return "<div class=\"card\">" + content + "</div>\n"; }

std::string definitions(const std::vector<std::pair<std::string, std::string>>& entries, bool compact) {
  std::string out = message("<dl class=\"card", compact ? " compact" : "", "\">\n");
  for (const auto& [name, value] : entries)
    out += message("<div><dt>", escape_html(name), "</dt><dd>", escape_html(value), "</dd></div>\n");
  return out + "</dl>\n";
}

std::string key_figures(const std::vector<KeyFigure>& figures) {
  std::string out = "<div class=\"figures\">\n";
  for (const KeyFigure& figure : figures)
    out += message("<div class=\"card\"><b>", escape_html(figure.value), "</b><span>", escape_html(figure.name),
                   "</span>", small(figure.small), "</div>\n");
  return out + "</div>\n";
}

std::string render(const Page& page) {
  const std::string title = escape_html(page.title);
  std::string out = message(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\">\n<title>",
      title, "</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>", report_style,
      "</style>\n</head>\n<body>\n<main>\n<header>\n<h1>", title, "</h1>\n<p>", escape_html(page.lead),
      "</p>\n</header>\n<div class=\"conclusion\">", paragraphs(page.summary), "</div>\n", page.opening,
      contents(page.sections));
  for (const Section& section : page.sections)
    out += message("<section id=\"", section.id, "\">\n<h2>", escape_html(section.heading), "</h2>\n",
                   section.note.empty() ? "" : "<p class=\"note\">" + section.note + "</p>\n", section.content,
                   "</section>\n");
  return out + "<footer>" + escape_html(page.footer) + "</footer>\n</main>\n</body>\n</html>\n";
}

}  // namespace preceptor
