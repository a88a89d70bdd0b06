import { nameIn, type SchemaObject } from './document.ts';
import { type Content, type Html, html, linkTo, prose } from './html.ts';

/** The id of the part of the page that tells of a schema. */
export const schemaId = (name: string): string => `schema-${name}`;

/** What a value has to be, in a few words; what has a name is a link to where it is told of. */
export function typeOf(schema: SchemaObject): Content {
  if (schema.$ref !== undefined) return linkTo(schemaId(nameIn(schema.$ref)), nameIn(schema.$ref));
  if (schema.const !== undefined) return html`<code>${textOf(schema.const)}</code>`;
  if (schema.enum !== undefined) return joined(schema.enum.map((value) => html`<code>${textOf(value)}</code>`));
  const parts = schema.anyOf ?? schema.oneOf;
  if (parts !== undefined) return joined(parts.map(typeOf));
  if (schema.items !== undefined) return html`array of ${typeOf(schema.items)}`;
  if (isMap(schema)) return html`object of ${typeOf(schema.additionalProperties)}`;
  if (schema.type === undefined) return 'any value';
  return [schema.type].flat().join(' or ');
}

const isMap = (schema: SchemaObject): schema is SchemaObject & { additionalProperties: SchemaObject } =>
  typeof schema.additionalProperties === 'object' && schema.properties === undefined;

const joined = (parts: readonly Content[]): Content =>
  html`${parts.map((part, index) => (index === 0 ? part : html` or ${part}`))}`;

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** Longer ones say less than the format or the description beside them. */
const longestPattern = 60;

/** The limits of a value beyond its type. */
function limitsOf(schema: SchemaObject): Content {
  const limits: Content[] = [
    schema.format === undefined ? undefined : schema.format,
    rangeOf('characters', schema.minLength, schema.maxLength),
    rangeOf('entries', schema.minItems, schema.maxItems),
    rangeOf('', safely(schema.minimum), safely(schema.maximum)),
    schema.pattern === undefined || schema.pattern.length > longestPattern
      ? undefined
      : html`matches <code>${schema.pattern}</code>`,
    schema.default === undefined ? undefined : html`default <code>${textOf(schema.default)}</code>`,
  ].filter((limit) => limit !== undefined);
  return limits.length === 0
    ? undefined
    : html`<small>${limits.map((limit, index) => [index === 0 ? '' : ', ', limit])}</small>`;
}

/** Every integer has the limits that JSON numbers have. */
const safely = (limit: number | undefined): number | undefined =>
  limit !== undefined && Number.isSafeInteger(limit) && Math.abs(limit) < Number.MAX_SAFE_INTEGER ? limit : undefined;

function rangeOf(unit: string, least: number | undefined, most: number | undefined): string | undefined {
  if (least === undefined && most === undefined) return undefined;
  const range =
    most === undefined ? `at least ${least}` : least === undefined ? `at most ${most}` : `${least} to ${most}`;
  return unit === '' ? range : `${range} ${unit}`;
}

interface Field {
  readonly name: string;
  readonly schema: SchemaObject;
  readonly isRequired: boolean;
}

/** The fields of an object, those of objects without a name as `outer.inner`, in arrays as `outer[].inner`. */
function fieldsOf(schema: SchemaObject, prefix = ''): readonly Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, each]) => {
    const field = { name: `${prefix}${name}`, schema: each, isRequired: schema.required?.includes(name) ?? false };
    const inner = each.items ?? each;
    const suffix = each.items === undefined ? '.' : '[].';
    return inner.properties === undefined ? [field] : [field, ...fieldsOf(inner, `${field.name}${suffix}`)];
  });
}

/** What is told of a schema: a table of its fields, or of its alternatives, or a line. */
export function schemaTable(schema: SchemaObject): Html {
  const about = schema.description === undefined ? undefined : html`<p>${prose(schema.description)}</p>`;
  const alternatives = schema.oneOf ?? schema.anyOf;
  if (schema.properties !== undefined) return html`${about}${fieldTable(fieldsOf(schema))}`;
  if (alternatives?.some(({ properties }) => properties !== undefined)) {
    return html`${about}
      <p>One of:</p>
      ${alternatives.map((each) => html`<div>${schemaTable(each)}</div>`)}`;
  }
  return html`${schema.$ref === undefined ? about : undefined}
    <p>${typeOf(schema)} ${limitsOf(schema)}</p>`;
}

export function fieldTable(fields: readonly Field[], head = 'field'): Html {
  if (fields.length === 0) return html`<p>An empty object.</p>`;
  return html`<div class="wide">
    <table class="fields">
      <thead>
        <tr>
          <th scope="col">${head}</th>
          <th scope="col">type</th>
          <th scope="col">meaning</th>
        </tr>
      </thead>
      <tbody>
        ${fields.map(
          ({ name, schema, isRequired }) =>
            html`<tr>
              <td><code>${name}</code>${isRequired ? html` <span class="needed">required</span>` : undefined}</td>
              <td>${typeOf(schema)} ${limitsOf(schema.items ?? schema)}</td>
              <td>${schema.description === undefined ? undefined : prose(schema.description)}</td>
            </tr> `,
        )}
      </tbody>
    </table>
  </div>`;
}
