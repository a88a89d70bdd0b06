/**
 * Turns one JSON log line into what a person reads on a terminal: time, level, message, then the other members as
 * `name=value`, and the stack of an error below, indented. Control characters of values are escaped, so that a value
 * can neither begin a line nor command the terminal.
 */
export function readableLineOf(json: string): string {
  const { time, level, msg, err, ...members } = membersOf(json);
  const head = [clock(time), textOf(level).toUpperCase().padEnd(5), textOf(msg)];
  const rest = Object.entries(members).map(([name, value]) => `${escapeControls(name)}=${quoted(value)}`);
  return `${[...head, ...rest].filter((part) => part !== '').join(' ')}\n${stackOf(err)}`;
}

const membersOf = (json: string): Readonly<Record<string, unknown>> => objectOf(JSON.parse(json));

const objectOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? { ...value } : {};

const clock = (time: unknown): string => (typeof time === 'string' ? escapeControls(time.slice(11, 23)) : '');

const textOf = (value: unknown): string => (typeof value === 'string' ? escapeControls(value) : '');

function quoted(value: unknown): string {
  if (typeof value === 'string' && /^[\w.:/{}@+-]+$/.test(value)) return value;
  return escapeControls(JSON.stringify(value));
}

function stackOf(error: unknown): string {
  if (error === undefined) return '';
  const { stack, message, cause } = objectOf(error);
  const lines = typeof stack === 'string' ? stack.split('\n') : [textOf(message)];
  return `${lines.map((line) => `    ${escapeControls(line.trim())}\n`).join('')}${stackOf(cause)}`;
}

// Controls, invisible format characters (they can reverse the direction of text) and the line breaks of Unicode.
const controls = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

const escapeControls = (text: string): string =>
  text.replace(controls, (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`);
