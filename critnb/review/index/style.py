"""How the page looks. One ink a status, each beside its word; the colours of Okabe and Ito 2008 where they carry meaning."""

from __future__ import annotations

CSS = """
:root { color-scheme: light; --ink: #1d1f21; --quiet: #5d6672; --line: #dfe3e8; --soft: #f6f7f9; --link: #1f4fa3;
  --complete: #1d7a4f; --failed: #b3261e; --running: #1f5fae; --incomplete: #9a5b00; --unreadable: #6b4a86; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", "Helvetica Neue",
  "DejaVu Sans", Arial, sans-serif; }
main { max-width: 1264px; margin: 0 auto; padding: 1.8rem 24px 5rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .3em; }
h2 { font-size: 1.2rem; margin: 2.4em 0 .6em; padding-bottom: .25em; border-bottom: 1px solid var(--line); }
h2 .sub { color: var(--quiet); font-weight: 400; }
h3 { font-size: 1rem; margin: 0; display: flex; flex-wrap: wrap; gap: .3em .7em; align-items: center; }
p { margin: .5em 0; max-width: 62rem; }
a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; }
code { font: .86em/1.4 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
.lead, .asks, .when, .why, .note, .default { color: var(--quiet); }
.who { font-size: .92rem; font-weight: 400; }
.setting { display: inline-block; margin-right: 1.4em; }
.asks { margin: .35em 0 .2em; } .when { font-size: .87rem; font-weight: 400; }
.badge { display: inline-block; border-radius: 9px; padding: .08em .65em; font-size: .78rem; font-weight: 600;
  white-space: nowrap; background: #e9ecef; color: #333; }
.badge.stage { background: var(--ink); color: #fff; border-radius: 4px; }
.badge.complete, .badge.pass { background: #dcefe5; color: var(--complete); }
.badge.failed, .badge.fail { background: #fbe3e0; color: var(--failed); }
.badge.running { background: #dfeaf8; color: var(--running); }
.badge.incomplete, .badge.not-available { background: #faecd2; color: #7a4700; }
.badge.unreadable { background: #ece3f3; color: var(--unreadable); }
.id { font-size: .92rem; font-weight: 600; }
.chain { overflow: auto; max-height: 46rem; margin: 1.2rem 0 0; border: 1px solid var(--line); border-radius: 8px;
  padding: 10px; }
.chain svg { display: block; max-width: 100%; min-width: 760px; height: auto; }
svg text { font: 10.5px system-ui, "Segoe UI", "Helvetica Neue", "DejaVu Sans", Arial, sans-serif; fill: var(--ink); }
svg .head { fill: var(--quiet); font-size: 11px; } svg .label { font-size: 11.5px; font-weight: 600; }
svg .band { fill: var(--soft); }
svg .wire { fill: none; stroke: #98a1ad; stroke-width: 1.1; } svg marker path { fill: #7d8794; }
svg .run rect { fill: #fff; stroke-width: 1.4; } svg .run.older rect { fill: #fbfbfc; stroke-width: .8; }
svg a:hover rect { stroke-width: 2.4; }
svg .run .stage { font-size: 13px; font-weight: 700; }
svg .run .hash { font: 10px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #444c56; }
svg .run .date { fill: var(--quiet); font-size: 9.5px; } svg .run .word { font-weight: 600; }
svg .run .gate { fill: var(--failed); font-size: 10px; }
svg .complete rect { stroke: var(--complete); } svg .complete .word { fill: var(--complete); }
svg .failed rect { stroke: var(--failed); fill: #fef4f3; } svg .failed .word { fill: var(--failed); }
svg .running rect { stroke: var(--running); fill: #f2f7fd; } svg .running .word { fill: var(--running); }
svg .incomplete rect { stroke: var(--incomplete); stroke-dasharray: 5 3; } svg .incomplete .word { fill: var(--incomplete); }
svg .unreadable rect { stroke: var(--unreadable); stroke-dasharray: 2 3; } svg .unreadable .word { fill: var(--unreadable); }
.card { border: 1px solid var(--line); border-radius: 8px; padding: .9rem 1.1rem; margin: .9rem 0; scroll-margin-top: .8rem; }
.card:target { border-color: var(--link); box-shadow: 0 0 0 2px #cfdcf2; }
.card.older { padding: .5rem 1.1rem; background: #fcfcfd; } .card.older[open] { padding-bottom: .9rem; }
.card.older > summary { cursor: pointer; } .card.older > summary h3 { display: inline-flex; }
.reason { border-left: 3px solid var(--line); padding: .3em .8em; background: var(--soft); overflow-wrap: anywhere;
  white-space: pre-line; }
.reason.failed { border-color: var(--failed); background: #fdf1f0; }
.reason.incomplete, .reason.warning { border-color: #d89a2b; background: #fdf7ea; }
.reason.running { border-color: var(--running); background: #f2f7fd; }
.reason.unreadable { border-color: var(--unreadable); background: #f7f2fa; }
.links a { margin-right: .9em; } .links .main { font-weight: 600; }
.file { white-space: nowrap; margin-right: 1.1em; } .file a { margin-right: .15em; }
table { border-collapse: collapse; font-size: .87rem; margin: .7em 0; font-variant-numeric: tabular-nums; }
th, td { padding: .25em .9em .25em 0; text-align: left; vertical-align: top; }
th { font-weight: 600; color: var(--quiet); border-bottom: 1px solid var(--line); }
td { border-bottom: 1px solid #eef0f3; overflow-wrap: anywhere; }
td.value { white-space: nowrap; } .why { display: block; font-size: .95em; }
.hashes td:nth-child(2) { text-align: right; } .hashes code { font-size: .8em; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2em 1.1em; margin: .8em 0; font-size: .9rem; }
dd > a { margin-right: .6em; }
.phrase { white-space: nowrap; }
dt { color: var(--quiet); } dd { margin: 0; overflow-wrap: anywhere; }
details > summary { cursor: pointer; color: var(--quiet); font-size: .9rem; margin: .35em 0; width: max-content; max-width: 100%; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(184px, 1fr)); gap: .8rem; margin: .9rem 0; }
figure { margin: 0; } figcaption { font-size: .8rem; color: var(--quiet); margin-top: .25em; }
figure > a { display: block; border: 1px solid var(--line); border-radius: 4px; padding: 4px; background: #fff; }
figure img { display: block; width: 100%; height: 104px; object-fit: contain; }
@media print { .chain { max-height: none; overflow: visible; } .card { break-inside: avoid-page; } }
"""
