export * from './transfers.ts';
export * from './user-grants.ts';
