import { eachOf, parsed } from './kinds.ts';

/**
 * Origins as browsers send them, separated by commas or spaces. Plain http is for pages of this machine. There is no
 * wildcard: with it, any page could use a token that it got hold of.
 */
export const origins = parsed(
  'a list of exact origins such as https://app.example.com or http://localhost:3000: lower case, no path, no slash at the end, http for localhost alone, and never * or null',
  (text) => eachOf(text, (part) => (isOrigin(part) ? part : undefined)),
);

const isOrigin = (text: string): boolean =>
  !text.includes('*') &&
  URL.canParse(text) &&
  new URL(text).origin === text &&
  (text.startsWith('https://') || /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:|$)/.test(text));
