/** What an OpenAPI document promises, as far as {@link findBreakingChanges} compares it. */
export interface Contract {
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationContract>>>>;
  readonly components: {
    readonly schemas?: Readonly<Record<string, Schema>>;
    readonly headers?: Readonly<Record<string, HeaderContract>>;
  };
}

export interface OperationContract {
  readonly operationId: string;
  readonly 'x-permission': string;
  readonly parameters?: readonly ParameterContract[];
  readonly requestBody?: { readonly required?: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, ResponseContract>>;
}

export interface ParameterContract {
  readonly in: string;
  readonly name: string;
  readonly required?: boolean;
  readonly schema: Schema;
}

export interface ResponseContract {
  readonly headers?: Readonly<Record<string, HeaderContract>>;
  readonly content?: Content;
  readonly 'x-problem-codes'?: readonly string[];
}

type Content = Readonly<Record<string, { readonly schema: Schema }>>;

export interface HeaderContract {
  readonly $ref?: string;
  readonly required?: boolean;
  readonly schema?: Schema;
}

/** A JSON Schema. Which keywords are compared says `schemas.ts`; one that nobody knows is a finding. */
export type Schema = Readonly<Record<string, unknown>> & {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: boolean | Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
};

/** A change that a caller of the released version can notice to its harm. */
export interface Finding {
  /** Its name, as docs/decisions/0061 and the table of tests have it. */
  readonly rule: string;
  /** Such as `POST /v1/transfers body amount.minor`. */
  readonly place: string;
  readonly message: string;
}

export type Report = (rule: string, place: string, message: string) => void;
