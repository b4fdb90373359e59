// The report's style sheet: light and dark, one column on a phone, the same color for an arm everywhere.
#pragma once

namespace preceptor {

// Arm colors keep a contrast of at least 4.5 to 1 against their background in both schemes, and differ in lightness
// for readers who see few colors.
inline constexpr const char* report_style = R"css(
:root {
  color-scheme: light dark;
  --page: #fbfaf7; --card: #ffffff; --ink: #1d2126; --soft: #5a626b; --rule: #dcd9d1; --grid: #ebe8e1; --accent: #0f5c63;
  --arm-0: #4d5660; --arm-1: #a34a00; --arm-2: #0a5fb4; --arm-3: #8a2b82; --arm-4: #10703f; --arm-5: #00697a; --arm-6: #a8283a; --arm-7: #6a5d00; --reference: #1d2126;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #14171a; --card: #1b1f23; --ink: #e9e7e2; --soft: #a3abb4; --rule: #343a40; --grid: #292e33; --accent: #6fc3c9;
    --arm-0: #b4bdc6; --arm-1: #f2a05a; --arm-2: #6db3f8; --arm-3: #dd8fd6; --arm-4: #5fcb92; --arm-5: #5cc5d6; --arm-6: #f08f98; --arm-7: #cdbb4d; --reference: #e9e7e2;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 17px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", sans-serif;
}
main { max-width: 60rem; margin: 0 auto; padding: 3.5rem 1.5rem 4rem; }
header p { color: var(--soft); max-width: 44rem; margin: 0; }
h1 { font-size: clamp(1.7rem, 4.5vw, 2.5rem); line-height: 1.15; letter-spacing: -0.02em; margin: 0 0 0.8rem; max-width: 42rem; text-wrap: balance; }
h2 { font-size: 1.25rem; letter-spacing: -0.01em; line-height: 1.3; margin: 3.2rem 0 0.4rem; }
h3 { font-size: 1rem; margin: 0 0 0.3rem; }
.note { color: var(--soft); font-size: 0.92rem; max-width: 44rem; margin: 0 0 1.1rem; }
.conclusion { border-left: 3px solid var(--accent); padding: 0.1rem 0 0.1rem 1.2rem; margin: 2rem 0 0; max-width: 46rem; }
.conclusion p { margin: 0; }
.conclusion p + p { margin-top: 0.8rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: 1rem; margin: 2rem 0 0; }
.figures b { display: block; font-size: 2.1rem; line-height: 1.15; letter-spacing: -0.02em; font-variant-numeric: tabular-nums; }
.figures span { display: block; font-size: 0.92rem; }
.figures small { display: block; color: var(--soft); font-size: 0.85rem; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 0.4rem 1.2rem; margin: 2rem 0 0; padding: 0.9rem 0; border-top: 1px solid var(--rule); border-bottom: 1px solid var(--rule); font-size: 0.92rem; }
a { color: var(--accent); text-underline-offset: 0.2em; text-decoration-thickness: 1px; }
a:focus-visible, .scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 3px; border-radius: 4px; }
h2, section { scroll-margin-top: 1rem; }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 1.1rem 1.2rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.92rem; font-variant-numeric: tabular-nums; line-height: 1.4; }
caption { text-align: left; color: var(--soft); padding-bottom: 0.6rem; }
th, td { padding: 0.6rem 0.7rem; text-align: right; vertical-align: top; border-bottom: 1px solid var(--rule); white-space: nowrap; }
thead th { font-weight: 600; color: var(--soft); vertical-align: bottom; white-space: normal; min-width: 4.6rem; }
tbody th { text-align: left; font-weight: 600; white-space: normal; min-width: 12rem; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
tbody tr:last-child th, tbody tr:last-child td { border-bottom: 0; }
tbody small { display: block; font-weight: 400; color: var(--soft); font-size: 0.85em; }
.swatch { display: inline-block; width: 0.7em; height: 0.7em; border-radius: 50%; background: currentColor; margin-right: 0.5em; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem; }
.panels .card { padding: 0.9rem 1rem 0.6rem; }
section > .panels + .card, section > .card + .card, section > .card + .panels, section > .panels + .panels { margin-top: 1rem; }
section > h3 { margin: 1.6rem 0 0.6rem; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); gap: 1rem; margin: 0.6rem 0 1.8rem; }
.pictures + h3 { margin-top: 0; }
figure { margin: 0; }
figure img { display: block; width: 100%; height: auto; border-radius: 6px; background: #000; }
figcaption { display: flex; gap: 0.6rem; align-items: center; font-size: 0.85rem; line-height: 1.25; margin-top: 0.5rem; color: var(--soft); }
figcaption img { flex: none; width: 32px; height: 32px; border-radius: 3px; image-rendering: pixelated; }
dl { margin: 0; font-size: 0.92rem; }
dl div { display: grid; grid-template-columns: 12rem 1fr; gap: 0 1.5rem; padding: 0.18rem 0; }
dl.compact { columns: 17rem; column-gap: 2.5rem; }
dl.compact div { grid-template-columns: 8.5rem 1fr; break-inside: avoid; }
.legend { margin: 0 0 0.4rem; font-size: 0.85rem; font-weight: 600; line-height: 1.35; font-variant-numeric: tabular-nums; }
.legend span { display: inline-block; margin-right: 0.7em; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
svg.chart { display: block; width: 100%; height: auto; }
svg text { font-size: 13px; fill: var(--soft); paint-order: stroke; stroke: var(--card); stroke-width: 4px; stroke-linejoin: round; }
svg .end { text-anchor: end; }
svg .middle { text-anchor: middle; }
svg .label { font-weight: 600; font-size: 14px; }
svg .strong { fill: var(--ink); }
svg .guide { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 2 4; }
svg .chosen { stroke: var(--soft); stroke-width: 1; }
svg .count { fill: currentColor; opacity: 0.35; }
svg .grid { stroke: var(--grid); stroke-width: 1; }
svg path, svg line { vector-effect: non-scaling-stroke; }
svg path { fill: none; stroke-linejoin: round; stroke-linecap: round; }
svg .mean { stroke-width: 2.6; }
svg .seed { stroke-width: 1; opacity: 0.35; }
svg .dashed { stroke-dasharray: 3 5; }
svg .leader { stroke-width: 1; opacity: 0.6; }
svg .thin { stroke-width: 1.4; }
svg .thick { stroke-width: 6; stroke-linecap: round; opacity: 0.4; }
svg .seed-mark { stroke-width: 2; }
svg .dot { stroke: var(--card); stroke-width: 2; }
svg path.area { stroke: none; opacity: 0.14; }
.arm-0 { color: var(--arm-0); } .arm-1 { color: var(--arm-1); } .arm-2 { color: var(--arm-2); } .arm-3 { color: var(--arm-3); }
.arm-4 { color: var(--arm-4); } .arm-5 { color: var(--arm-5); } .arm-6 { color: var(--arm-6); } .arm-7 { color: var(--arm-7); }
.reference-mark { color: var(--reference); } .quiet { color: var(--soft); }
svg .mean, svg .seed, svg .thin, svg .thick, svg .seed-mark, svg .leader { stroke: currentColor; }
svg path.area { fill: currentColor; stroke: none; }
svg text.label, svg circle.dot { fill: currentColor; }
footer { margin-top: 3rem; color: var(--soft); font-size: 0.85rem; }
@media (max-width: 640px) {
  body { font-size: 16px; }
  main { padding: 2rem 1rem 3rem; }
  .card { padding: 0.9rem 0.8rem; }
  nav ul { gap: 0.3rem 1rem; }
  svg.wide text { font-size: 23px; }
  svg.wide .label { font-size: 25px; }
  tbody th { min-width: 9.5rem; }
  dl div { grid-template-columns: 1fr; padding: 0.3rem 0; }
}
@media print {
  :root { color-scheme: light; }
  body { background: none; font-size: 10.5pt; }
  main { max-width: none; padding: 0; }
  nav { display: none; }
  .card, figure, tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .scroll { overflow: visible; }
  table { font-size: 8.5pt; }
  th, td { padding: 0.3rem 0.4rem; }
}
)css";

}  // namespace preceptor
