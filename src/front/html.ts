/** Text that is HTML already. Only {@link html} and {@link trusted} make it. */
export interface Html {
  readonly markup: string;
}

export type Content = Html | string | number | undefined | readonly Content[];

/** HTML from a template. Whatever stands in it is escaped, unless it is HTML itself; of a list, each part. */
export const html = (texts: TemplateStringsArray, ...contents: readonly Content[]): Html => ({
  markup: texts.map(withoutIndent).reduce((whole, text, index) => whole + markupOf(contents[index - 1]) + text),
});

/** The indentation of a template is for those who read the source. */
const withoutIndent = (text: string): string => text.replace(/\n\s+/g, '\n');

/** Takes a text as HTML that never came from outside, such as a style sheet. */
export const trusted = (markup: string): Html => ({ markup });

function markupOf(content: Content): string {
  if (content === undefined) return '';
  if (typeof content === 'string' || typeof content === 'number') return escaped(String(content));
  if ('markup' in content) return content.markup;
  return content.map(markupOf).join('');
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character] ?? character);

/** A sentence in which backticks mark code, as the descriptions of operations and schemas have it. */
export const prose = (text: string): Html =>
  html`${text.split('`').map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : part))}`;

/** The link to the part of the page that has this id. */
export const linkTo = (id: string, content: Content): Html => html`<a href="#${encodeURIComponent(id)}">${content}</a>`;
