/** What a document says to people alone: it may change at any time. */
const prose = ['description', 'summary', 'examples', 'example'];

/** Members that map names to something. There a name is never a keyword. */
const maps = ['properties', 'headers', 'responses', 'content', 'mapping'];

/** Values as they are. */
const values = ['default', 'const', 'enum'];

/** An OpenAPI document without prose and examples: what callers may rely on. */
export function contractOf(document: unknown): unknown {
  const { openapi, paths, components } = document as Readonly<Record<string, unknown>>;
  const { schemas, headers } = components as Readonly<Record<string, unknown>>;
  return {
    openapi,
    paths: stripped(paths, true),
    components: { schemas: stripped(schemas, true), headers: stripped(headers, true) },
  };
}

function stripped(value: unknown, isMap: boolean): unknown {
  if (Array.isArray(value)) return value.map((each) => stripped(each, false));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => isMap || !prose.includes(name))
      .map(([name, member]) => [
        name,
        !isMap && values.includes(name) ? member : stripped(member, !isMap && maps.includes(name)),
      ]),
  );
}
