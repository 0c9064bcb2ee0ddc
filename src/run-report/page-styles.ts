/** How the sections of a report look. */
export const PAGE_STYLES = `
section { margin: 0 0 3rem; scroll-margin-top: 1rem; } section > h2 { font-size: 1.3rem; border-bottom: 1px solid var(--line); padding-bottom: .4rem; margin-bottom: 1rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; } h4 { font-size: .9rem; margin: 0 0 .4rem; color: var(--quiet); font-weight: 550; }
nav { display: flex; flex-wrap: wrap; gap: .35rem 1.1rem; margin: 0 0 1rem; } nav a { color: var(--accent); text-underline-offset: .2em; }
.charts { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); }
.scroll { overflow-x: auto; margin-bottom: 1rem; max-width: 100%; }
table { border-collapse: collapse; font-size: .875rem; } caption { text-align: left; color: var(--quiet); padding-bottom: .4rem; }
.plain { min-width: min(100%, 36rem); background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
.plain th, .plain td { text-align: left; padding: .45rem .8rem; border-top: 1px solid var(--line); vertical-align: top; max-width: 26rem; overflow-wrap: break-word; }
.plain thead th { border-top: 0; color: var(--quiet); font-weight: 550; white-space: nowrap; } .plain tbody th { font-weight: 550; }
.plain .number { white-space: nowrap; font-variant-numeric: tabular-nums; } .strong { font-weight: 650; }
th .key { color: var(--ink); display: inline-block; min-width: 5rem; }
.state-training { color: var(--accent); font-weight: 550; } .state-stopped { color: var(--bad); }
.notes { color: var(--quiet); font-size: .9rem; padding-left: 1.2rem; overflow-wrap: anywhere; }
.interval { position: relative; width: 9rem; height: 1.3em; } .interval::before { content: ""; position: absolute; left: 0; right: 0; top: 50%; height: 1px; background: var(--line); }
.interval i { position: absolute; } .interval .range { top: calc(50% - 3px); height: 6px; border-radius: 3px; background: var(--accent); opacity: .35; }
.interval .dot { top: calc(50% - 4px); width: 8px; height: 8px; margin-left: -4px; border-radius: 50%; background: var(--accent); } .interval .chance { top: 15%; bottom: 15%; width: 2px; background: var(--quiet); }
details { margin: 0 0 .75rem; } summary { cursor: pointer; font-size: .95rem; padding: .25rem 0; overflow-wrap: anywhere; } pre { background: var(--sunken); border-radius: 6px; padding: 1rem; overflow: auto; max-height: 32rem; font-size: .8rem; }
code { font-size: .9em; overflow-wrap: anywhere; }
.confusion { margin-top: .5rem; } .confusion td { width: 2.4rem; min-width: 2.4rem; height: 2rem; text-align: center; font-variant-numeric: tabular-nums; border: 1px solid var(--page); background: var(--sunken); padding: 0 .2rem; }
.confusion .right { background: color-mix(in srgb, var(--good) calc(var(--share) * 45%), var(--sunken)); } .confusion .wrong { background: color-mix(in srgb, var(--bad) calc(var(--share) * 45%), var(--sunken)); }
.confusion tbody th { text-align: right; padding-right: .6rem; font-weight: 550; max-width: 14rem; overflow-wrap: anywhere; } .confusion thead th { vertical-align: bottom; font-weight: 550; padding: .2rem; color: var(--quiet); }
.confusion thead th span { writing-mode: vertical-rl; transform: rotate(180deg); max-height: 10rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; } .confusion .number { background: none; padding-left: .4rem; }
.controls { display: flex; flex-wrap: wrap; gap: .75rem 2rem; align-items: center; margin-bottom: .75rem; }
.choice { border: 0; padding: 0; margin: 0; display: flex; flex-wrap: wrap; gap: .3rem 1rem; font-size: .9rem; min-width: 0; } .choice legend { float: left; padding: 0; margin-right: 1rem; color: var(--quiet); } .choice input { accent-color: var(--accent); } .choice label { overflow-wrap: anywhere; }
.map { display: grid; gap: 1rem; grid-template-columns: minmax(0, 1fr); } @media (min-width: 52rem) { .map { grid-template-columns: minmax(0, 1fr) 17rem; } }
.field { position: relative; height: min(38rem, 80vh); min-height: 20rem; background: var(--card); border: 1px solid var(--line); border-radius: 8px; overflow: hidden; cursor: crosshair; } .field canvas { position: absolute; inset: 0; width: 100%; height: 100%; }
#map-pins { position: absolute; inset: 0; pointer-events: none; } .pin { position: absolute; transform: translate(-50%, -50%); container-type: size; display: grid; place-items: center; } .pin .clip { border-radius: 4px; outline: 2px solid var(--color, var(--quiet)); }
.panel { min-width: 0; font-size: .875rem; } .panel > .box { border-radius: 8px; margin-bottom: .6rem; } .panel p { margin: 0 0 .2rem; } .near-title { margin-top: .9rem !important; color: var(--quiet); }
.near { list-style: none; padding: 0; margin: .3rem 0 0; display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: .5rem; } .near .box { border-radius: 4px; } .near span { font-size: .78rem; overflow-wrap: anywhere; }
.right { color: var(--good); } .wrong { color: var(--bad); } .confusion .right, .confusion .wrong { color: inherit; }
.keys { display: flex; flex-wrap: wrap; gap: .35rem; margin-top: .75rem; }
.label-key { font: inherit; font-size: .82rem; color: var(--ink); background: var(--card); border: 1px solid var(--line); border-radius: 99px; padding: .15rem .7rem; cursor: pointer; overflow-wrap: anywhere; } .label-key[aria-pressed=true] { border-color: var(--ink); background: var(--sunken); font-weight: 550; }
.label-key i { display: inline-block; width: .6rem; height: .6rem; background: var(--color); margin-right: .45rem; } .shape0 { border-radius: 50%; } .shape2 { clip-path: polygon(50% 0, 100% 100%, 0 100%); } .shape3 { clip-path: polygon(50% 0, 100% 50%, 50% 100%, 0 50%); }
.card { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 8px; overflow: hidden; box-sizing: border-box; min-width: 0; }
.card figcaption { padding: .45rem .6rem .55rem; font-size: .82rem; line-height: 1.35; } .card figcaption p { margin: 0; } .figures { display: flex; justify-content: space-between; gap: .5rem; font-variant-numeric: tabular-nums; }
.name { font-weight: 550; overflow-wrap: anywhere; } .within { color: var(--quiet); font-size: .8rem; overflow-wrap: anywhere; } .time { color: var(--quiet); }
.card .within, .card .name { display: -webkit-box; -webkit-line-clamp: 3; -webkit-box-orient: vertical; overflow: hidden; } .sample .card .within { -webkit-line-clamp: 6; }
.retrieval { display: grid; gap: .75rem 1.5rem; padding: 1rem 0; border-top: 1px solid var(--line); grid-template-columns: minmax(0, 1fr); } .retrieval h3 { margin: 0 0 .4rem; font-size: .9rem; color: var(--quiet); font-weight: 550; } .retrieval .query .card { border-color: var(--accent); max-width: 14rem; }
@media (min-width: 52rem) { .retrieval { grid-template-columns: 11rem minmax(0, 1fr); } }
.clips { list-style: none; padding: 0; margin: 0 0 .75rem; display: grid; gap: .6rem; grid-template-columns: repeat(auto-fill, minmax(min(30%, 8.5rem), 1fr)); } .clips .card { height: 100%; } @media (min-width: 64rem) { .clips { grid-template-columns: repeat(5, minmax(0, 1fr)); } }
.samples { display: grid; gap: 1.5rem 2rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 32rem), 1fr)); margin-bottom: 1.5rem; }
.sample { display: grid; gap: .6rem; grid-template-columns: repeat(auto-fill, minmax(min(46%, 9.5rem), 1fr)); } .cut { display: flex; gap: .6rem; align-items: flex-start; } .cut > div:last-child { min-width: 0; }
.frame { position: relative; flex: 0 0 2rem; border: 1px solid var(--quiet); border-radius: 2px; margin-top: .15rem; } .frame i { position: absolute; background: var(--accent); opacity: .75; }
#live { color: var(--accent); font-weight: 550; }
`;
