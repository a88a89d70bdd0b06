/** The style sheet of every page: light and dark, from phones to wide screens, without a font or picture to load. */
export const style = `
:root{color-scheme:light dark;--text:#1c2126;--soft:#59636e;--back:#fff;--raised:#f5f7f9;--line:#d8dee4;--link:#0b57b8;
--get:#0a6b3d;--post:#0b57b8;--put:#8a4b00;--delete:#b3261e;--mark:#fff3cd}
@media (prefers-color-scheme:dark){:root{--text:#e4e8ec;--soft:#a0aab4;--back:#12161a;--raised:#1b2127;--line:#343c45;
--link:#7db7ff;--get:#63d19b;--post:#7db7ff;--put:#f0b35e;--delete:#ff8f87;--mark:#4a3d10}}
*{box-sizing:border-box}
html{scroll-padding-top:1rem}
body{margin:0;background:var(--back);color:var(--text);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;
overflow-wrap:break-word}
a{color:var(--link);text-decoration-thickness:1px;text-underline-offset:.15em}
:focus-visible{outline:2px solid var(--link);outline-offset:2px;border-radius:3px}
.skip{position:absolute;left:-999rem}
.skip:focus{left:1rem;top:1rem;background:var(--back);padding:.5rem 1rem;border:1px solid var(--line);z-index:1}
code,pre{font:.875em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
code{background:var(--raised);border-radius:4px;padding:.1em .3em}
pre{background:var(--raised);border:1px solid var(--line);border-radius:6px;padding:.75rem 1rem;margin:.5rem 0 1rem;
overflow-x:auto}
pre code,.path code,summary code,h3 code{background:none;padding:0}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .5rem}
h2{font-size:1.5rem;margin:3.5rem 0 .5rem;padding-top:1rem;border-top:2px solid var(--line)}
h3{font-size:1.15rem;margin:0 0 .25rem}
h4{font-size:.95rem;margin:1.5rem 0 .25rem}
h2 a,h3 a{color:inherit;text-decoration:none}
h2 a:hover,h3 a:hover{text-decoration:underline}
p{margin:.5rem 0}
.soft,small{color:var(--soft)}
article{margin:2rem 0;padding-top:2rem;border-top:1px solid var(--line)}
.path{margin:.25rem 0 .75rem;display:flex;gap:.6rem;align-items:baseline;flex-wrap:wrap}
.method{font:700 .75rem/1.6 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;border:1px solid;border-radius:4px;
padding:0 .45em;min-width:5em;text-align:center;display:inline-block}
.GET{color:var(--get)}.POST{color:var(--post)}.PUT,.PATCH{color:var(--put)}.DELETE{color:var(--delete)}
dl{margin:.5rem 0;display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem}
dt{color:var(--soft)}dd{margin:0;min-width:0}
.wide{overflow-x:auto;margin:.5rem 0 1rem}
table{border-collapse:collapse;width:100%;font-size:.925rem}
th,td{text-align:left;vertical-align:top;padding:.4rem .75rem .4rem 0;border-bottom:1px solid var(--line)}
th{color:var(--soft);font-weight:600}
td:first-child{white-space:nowrap}
.fields th:nth-child(1){width:26%}.fields th:nth-child(2){width:32%}
.needed{color:var(--delete);font-size:.8rem;white-space:nowrap}
details{margin:.4rem 0}
summary{cursor:pointer;color:var(--link)}
:target{background:var(--mark);box-shadow:0 0 0 .4rem var(--mark);border-radius:2px}
article:target,section:target{background:none;box-shadow:none}
article:target h3,section:target>h2{background:var(--mark)}
.list{list-style:none;margin:.5rem 0;padding:0}
.list li{margin:.35rem 0}
main{max-width:56rem;padding:2rem 1.25rem 6rem;min-width:0;margin:0 auto}
.contents{padding:1rem 1.25rem;border-bottom:1px solid var(--line)}
.contents ul{list-style:none;margin:0;padding:0}
.contents>ul{display:flex;flex-wrap:wrap;gap:.25rem 1rem}
.contents ul ul{display:none}
@media (min-width:64rem){
.page{display:grid;grid-template-columns:19rem minmax(0,1fr)}
.contents{position:sticky;top:0;height:100vh;overflow-y:auto;border:0;border-right:1px solid var(--line);font-size:.875rem}
.contents>ul{display:block}
.contents>ul>li{margin:.9rem 0 0}
.contents>ul>li>a{font-weight:600;font-size:.95rem}
.contents ul ul{display:block;margin:.15rem 0 0}
.contents ul ul li{margin:.1rem 0;padding-left:.75rem;border-left:1px solid var(--line)}
.contents ul ul a{color:inherit;text-decoration:none}
.contents ul ul a:hover{text-decoration:underline}
main{margin:0;padding:2.5rem 3rem 40vh}
}
@media (max-width:40rem){
td:first-child{white-space:normal}
dl{grid-template-columns:1fr}dd{margin:0 0 .4rem}
table.fields,table.fields tbody,table.fields tr,table.fields td{display:block}
table.fields thead{position:absolute;left:-999rem}
table.fields tr{border-bottom:1px solid var(--line);padding:.4rem 0}
table.fields td{border:0;padding:.1rem 0}
table.fields td:empty{display:none}
}
@media print{.contents,.skip{display:none}.page{display:block}details>*{display:block}}
`;
