export const backup = async (): Promise<number> => 1;
