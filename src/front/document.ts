/** What the reference reads of an OpenAPI document. The rest of the document it leaves alone. */
export interface OpenApiDocument {
  readonly info: { readonly title: string; readonly version: string; readonly description?: string };
  readonly tags: readonly TagObject[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, SchemaObject>>;
    readonly headers?: Readonly<Record<string, HeaderObject>>;
    readonly examples?: Readonly<Record<string, Example>>;
  };
}

export interface TagObject {
  readonly name: string;
  readonly description?: string;
  /** Of a process: where its instances may stand. */
  readonly 'x-steps'?: readonly {
    readonly name: string;
    readonly label: string;
    readonly waitsFor?: string;
    readonly actions?: readonly string[];
  }[];
  /** Of a process: how its instances end. */
  readonly 'x-outcomes'?: readonly string[];
}

export interface OperationObject {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly 'x-permission': string;
  readonly parameters?: readonly ParameterObject[];
  readonly requestBody?: { readonly required?: boolean; readonly content: Readonly<Record<string, MediaObject>> };
  readonly responses: Readonly<Record<string, ResponseObject>>;
}

export interface ParameterObject {
  readonly in: string;
  readonly name: string;
  readonly required?: boolean;
  readonly schema: SchemaObject;
}

export interface MediaObject {
  readonly schema: SchemaObject;
  readonly examples?: Readonly<Record<string, Example | Reference>>;
}

export interface ResponseObject {
  readonly description: string;
  readonly headers?: Readonly<Record<string, HeaderObject | Reference>>;
  readonly content?: Readonly<Record<string, MediaObject>>;
  /** The codes of the problems that come with this status. */
  readonly 'x-problem-codes'?: readonly string[];
}

interface HeaderObject {
  readonly description?: string;
}

interface Example {
  readonly value: unknown;
}

interface Reference {
  readonly $ref: string;
}

/** A JSON Schema of 2020-12, as far as schemas of Portico go. */
export interface SchemaObject {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly items?: SchemaObject;
  readonly properties?: Readonly<Record<string, SchemaObject>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | SchemaObject;
  readonly anyOf?: readonly SchemaObject[];
  readonly oneOf?: readonly SchemaObject[];
  readonly examples?: readonly unknown[];
}

/** The last part of a reference such as `#/components/schemas/Amount`. */
export const nameIn = (reference: string): string => reference.slice(reference.lastIndexOf('/') + 1);

/** Each operation with its method, in capitals, and its path, in the order of the document. */
export const operationsIn = ({ paths }: OpenApiDocument) =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );

export type ListedOperation = ReturnType<typeof operationsIn>[number];

/** What answers carry where they tell of no problem. */
export const isSuccess = (status: string): boolean => /^[123]/.test(status);
