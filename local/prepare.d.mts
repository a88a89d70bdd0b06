export declare function prepare(folder?: string): Promise<void>;
export declare function tooOldNode(version: string, range: string): string | undefined;
export declare function whyToInstall(folder: string): string | undefined;
