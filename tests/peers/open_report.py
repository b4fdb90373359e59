"""Opens a report in headless Chromium: no message on the console, no request, every figure drawn, words readable.

Light, dark and as wide as a phone: nothing is wider than the screen but what scrolls by itself; every text has a contrast
of at least 4.5 to 1 (3 to 1 where it is large; WCAG 2.1, 1.4.3) against the nearest background; everything that scrolls
can be reached by keyboard. Needs playwright and a Chromium (PRECEPTOR_CHROMIUM, or one found); without them it says so and
ends with 77, which ctest shows as skipped. Usage: python open_report.py BIN_DIR [FOLDER for screenshots]
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

try:
    from playwright.sync_api import sync_playwright
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

CHROMIUM = os.environ.get("PRECEPTOR_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") \
    or shutil.which("google-chrome")

# Texts that are too pale, as "words: contrast".
CONTRAST = """
() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = colour => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255];
  };
  const pale = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const words = walker.currentNode.textContent.trim(), element = walker.currentNode.parentElement;
    if (!words || ['STYLE', 'TITLE', 'title'].includes(element.tagName)) continue;
    const style = getComputedStyle(element), drawn = element instanceof SVGElement;
    const a = light(rgba(drawn ? style.fill : style.color)), b = light(behind(element));
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize), bold = parseInt(style.fontWeight) >= 700;
    if (contrast < (size >= 24 || (bold && size >= 18.66) ? 3 : 4.5)) pale.push(words + ': ' + contrast.toFixed(2));
  }
  return pale;
}
"""

WIDER = """
() => [...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll') && !e.closest('svg')
        && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName + ' ' + e.className)
"""

FIGURES = """
() => [...document.querySelectorAll('svg, img')].filter(e => {
  const box = e.getBoundingClientRect();
  return box.width < 20 || box.height < 20 || (e.tagName === 'IMG' && !e.naturalWidth)
         || (e.tagName === 'svg' && !e.querySelector('path, circle'));
}).map(e => e.outerHTML.slice(0, 200))
"""

SCROLLERS = """
() => [...document.querySelectorAll('main *')].filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0
        && getComputedStyle(e).overflowX === 'auto' && e.tabIndex < 0).map(e => e.className)
"""


def make_reports(bin_dir, folder):
    def run(*command):
        subprocess.run([f"{bin_dir}/{command[0]}", *command[1:]], check=True, cwd=folder, capture_output=True)

    for rate in ("1e-3", "1e-2"):
        for seed in ("0", "1"):
            run("preceptor-train", "--data", "phantom:chest?n=96&val=48&test=96", "--model", "resnet8", "--epochs", "3",
                "--batch", "16", "--bootstrap", "0", "--lr", rate, "--seed", seed, "--quiet", "--out", f"{rate}-seed{seed}")
    run("preceptor-train", "--data", "phantom:fundus?n=64&val=48&test=64", "--model", "resnet8", "--epochs", "2",
        "--batch", "16", "--bootstrap", "0", "--quiet", "--out", "fundus")
    run("preceptor-report", "1e-3-seed0", "--out", "one.html", "--bootstrap", "100")
    run("preceptor-report", "1e-3-seed0", "1e-3-seed1", "1e-2-seed0", "1e-2-seed1", "--out", "several.html",
        "--bootstrap", "100")
    run("preceptor-report", "fundus", "--out", "classes.html", "--bootstrap", "100")
    return [pathlib.Path(folder) / name for name in ("one.html", "several.html", "classes.html")]


def look_at(browser, path, scheme, width, screenshots):
    page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 800})
    messages, requests = [], []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri(), wait_until="load")
    assert not messages, messages
    fetched = [url for url in requests if not url.startswith("data:")]
    assert fetched == [path.as_uri()], fetched
    figures = page.evaluate("() => document.querySelectorAll('svg, img').length")
    for what, script in (("figures without content", FIGURES), ("text too pale", CONTRAST), ("wider than the screen", WIDER),
                         ("out of reach of the keyboard", SCROLLERS)):
        found = page.evaluate(script)
        assert not found, (path.name, scheme, width, what, found[:10])
    if screenshots:
        page.screenshot(path=f"{screenshots}/{path.stem}-{scheme}-{width}.png", full_page=True)
    page.close()
    return figures


def main():
    if CHROMIUM is None:
        print("skipped: no Chromium")
        sys.exit(77)
    screenshots = sys.argv[2] if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        reports = make_reports(pathlib.Path(sys.argv[1]).resolve(), folder)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for path in reports:
            for scheme, width in (("light", 1100), ("dark", 1100), ("light", 390)):
                figures = look_at(browser, path, scheme, width, screenshots)
                print(f"{path.name:14} {scheme:5} {width:5} pixels: {figures} figures, all there and readable")
        browser.close()


if __name__ == "__main__":
    main()
