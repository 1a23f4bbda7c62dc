export const top = async (): Promise<number> => 1;
