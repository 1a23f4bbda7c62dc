/**
 * Entry of the dashboard.
 *
 * @module
 */
import "uplot/dist/uPlot.min.css";
import "./styles/tokens.css";
import "./styles/layout.css";
import "./styles/parts.css";
import { render } from "preact";
import { App } from "./app.tsx";
import { followLive } from "./live.ts";

render(<App />, document.getElementById("app")!);
void followLive();
