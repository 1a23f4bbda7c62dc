/**
 * Light or dark: as the system has it, or as it was chosen here.
 *
 * @module
 */
import { Store } from "./store.ts";

/** What may be chosen. */
export type Theme = "system" | "light" | "dark";

const KEY = "queen-theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

function stored(): Theme {
  const value = localStorage.getItem(KEY);
  return value === "light" || value === "dark" ? value : "system";
}

/** The choice. */
export const theme = new Store<Theme>(stored());
/** What comes of it. */
export const isDark = new Store<boolean>(false);

function apply(): void {
  const chosen = theme.value;
  const next = chosen === "system" ? dark.matches : chosen === "dark";
  document.documentElement.dataset.theme = next ? "dark" : "light";
  isDark.set(next);
}

dark.addEventListener("change", apply);
theme.follow((chosen) => {
  if (chosen === "system") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, chosen);
  apply();
});
apply();
