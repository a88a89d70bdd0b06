import { type Content, type Html, html, trusted } from './html.ts';
import { style } from './style.ts';

/** An arch: browsers ask for an icon of every page. */
const icon =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Cpath fill='%230b57b8' d='M2 10 16 2l14 8v3H2zm2 5h4v11H4zm10 0h4v11h-4zm10 0h4v11h-4zM2 28h28v3H2z'/%3E%3C/svg%3E";

/** A whole document, in which nothing runs and for which nothing more is loaded. */
export const pageOf = ({ title, body }: { readonly title: string; readonly body: Content }): Html =>
  html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        <link rel="icon" href="${icon}" />
        <style>
          ${trusted(style)}
        </style>
      </head>
      <body>
        <a class="skip" href="#content">Skip to the content</a>
        ${body}
      </body>
    </html> `;
