#!/usr/bin/env python3
"""`plot.py LOG.tsv OUT.svg`: loss of answers and of what is read, and the share of held-out answers written exactly, against tokens."""

import csv
import pathlib
import sys

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 320, 50, 40, 20, 50


def main():
    rows = list(csv.DictReader(open(sys.argv[1], encoding="utf-8"), delimiter="\t"))
    tokens = [float(r["tokens"]) / 1e6 for r in rows]
    most = max(tokens)
    highest = max(max(float(r["answer_loss"]), float(r["prompt_loss"])) for r in rows)
    x = lambda t: LEFT + (WIDTH - LEFT - RIGHT) * t / most
    y = lambda share: HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * share
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11">', f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    for n in range(6):
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(n / 5):.1f}" y2="{y(n / 5):.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(n / 5) + 4:.1f}" text-anchor="end">{highest * n / 5:.1f}</text>')
        parts.append(f'<text x="{WIDTH - RIGHT + 6}" y="{y(n / 5) + 4:.1f}">{n * 20} %</text>')
        parts.append(f'<text x="{x(most * n / 5):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{most * n / 5:.1f}</text>')
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 6}" text-anchor="middle">million tokens seen</text>')
    lines = [("answer_loss", "#c33", highest, "loss of answers"), ("prompt_loss", "#999", highest, "loss of what is read"),
             ("exact", "#26a", 1, "held-out invented answers, exact"), ("exact_written", "#2a6", 1, "held-out written questions, exact")]
    for n, (field, colour, top, name) in enumerate(lines):
        points = [(x(t), y(float(r[field]) / top)) for t, r in zip(tokens, rows) if r[field] != "nan"]
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in points)}"/>')
        parts.append(f'<text x="{LEFT + 8 + 145 * n}" y="{TOP - 6}" fill="{colour}">{name}</text>')
    pathlib.Path(sys.argv[2]).write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
