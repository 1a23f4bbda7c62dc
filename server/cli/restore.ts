export const restore = async (): Promise<number> => 1;
