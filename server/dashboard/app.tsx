/**
 * The frame around the pages: navigation, how we are connected, who we are, and the token when one is needed.
 *
 * @module
 */
import { useEffect, useState } from "preact/hooks";
import { type Account, account, identify, setToken, tokenWanted } from "./api.ts";
import { feed, look } from "./live.ts";
import { ConsumerGroupPage } from "./pages/consumer-group.tsx";
import { ConsumerGroupsPage } from "./pages/consumer-groups.tsx";
import { DeadLettersPage } from "./pages/dead-letters.tsx";
import { MessagePage } from "./pages/message.tsx";
import { MessagesPage } from "./pages/messages.tsx";
import { OverviewPage } from "./pages/overview.tsx";
import { QueuePage } from "./pages/queue.tsx";
import { QueuesPage } from "./pages/queues.tsx";
import { SystemPage } from "./pages/system.tsx";
import { Icon, type IconName } from "./parts/icons.tsx";
import { Choice } from "./parts/layout.tsx";
import { Empty, Loading } from "./parts/states.tsx";
import { Notices } from "./parts/toast.tsx";
import { TokenForm } from "./parts/token-form.tsx";
import { href, type Place, place } from "./router.ts";
import { useStore } from "./store.ts";
import { type Theme, theme } from "./theme.ts";

const PAGES: readonly { path: string; name: string; short: string; icon: IconName }[] = [
  { path: "overview", name: "Overview", short: "Overview", icon: "overview" },
  { path: "queues", name: "Queues", short: "Queues", icon: "queues" },
  { path: "messages", name: "Messages", short: "Messages", icon: "messages" },
  { path: "dead-letters", name: "Dead letters", short: "Dead", icon: "dead-letters" },
  { path: "groups", name: "Consumer groups", short: "Groups", icon: "groups" },
  { path: "system", name: "System", short: "System", icon: "system" },
];
const THEMES = [
  { value: "system", title: "As the system", name: <Icon name="auto" /> },
  { value: "light", title: "Light", name: <Icon name="sun" /> },
  { value: "dark", title: "Dark", name: <Icon name="moon" /> },
] as const satisfies readonly { value: Theme; title: string; name: unknown }[];
const FEEDS = {
  connecting: { text: "Connecting", tone: "calm" },
  stream: { text: "Live", tone: "good" },
  polling: { text: "Polling", tone: "warn" },
  offline: { text: "Offline", tone: "bad" },
} as const;
/** Pause between attempts to reach the server at first. */
const IDENTIFY_MS = 3_000;

/** The dashboard. */
export function App() {
  const who = useStore(account);
  const wanted = useStore(tokenWanted);
  const here = useStore(place);
  const [failure, setFailure] = useState<string | null>(null);
  useEffect(() => {
    if (who !== null || wanted !== null) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = () =>
      identify().then(
        () => setFailure(null),
        (error: Error) => {
          setFailure(error.message);
          timer = setTimeout(ask, IDENTIFY_MS);
        },
      );
    void ask();
    return () => clearTimeout(timer);
  }, [who, wanted]);
  const current = here.segments[0] ?? "overview";
  const title = PAGES.find(({ path }) => path === current)?.name ?? "Queen";
  useEffect(() => {
    document.title = `${here.segments[1] ? `${here.segments[1]} · ` : ""}${title} · Queen`;
  }, [here, title]);
  if (wanted !== null) return <TokenForm reason={wanted} />;
  return (
    <div class="frame">
      <button type="button" class="skip" onClick={focusMain}>
        To the content
      </button>
      <Navigation current={current} who={who} />
      <main id="main" tabIndex={-1}>
        {who === null ? <Waiting failure={failure} /> : <Page key={here.segments.join("/")} here={here} />}
      </main>
      <Notices />
    </div>
  );
}

function focusMain(): void {
  document.getElementById("main")?.focus();
}

function Waiting({ failure }: { failure: string | null }) {
  if (failure === null) return <Loading rows={8} />;
  return <Empty title="The server cannot be used yet">{failure} Trying again…</Empty>;
}

function Page({ here }: { here: Place }) {
  const [page = "overview", first, second] = here.segments;
  if (page === "overview") return <OverviewPage />;
  if (page === "queues") return first === undefined ? <QueuesPage /> : <QueuePage name={first} />;
  if (page === "messages") {
    return first !== undefined && second !== undefined ? (
      <MessagePage partitionId={first} transactionId={second} />
    ) : (
      <MessagesPage />
    );
  }
  if (page === "dead-letters") return <DeadLettersPage />;
  if (page === "groups") return first === undefined ? <ConsumerGroupsPage /> : <ConsumerGroupPage name={first} />;
  if (page === "system") return <SystemPage />;
  return <Empty title="There is no such page">The menu shows what there is.</Empty>;
}

function Navigation({ current, who }: { current: string; who: Account | null }) {
  return (
    <nav class="menu" aria-label="Pages">
      <a class="brand" href={href(["overview"])} aria-label="Queen, overview">
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <path d="M5 22V9l6 5 5-8 5 8 6-5v13zM5 24.5h22v2.5H5z" />
        </svg>
        <span>Queen</span>
      </a>
      <ul>
        {PAGES.map(({ path, name, short, icon }) => (
          <li key={path}>
            <a href={href([path])} aria-current={current === path ? "page" : undefined}>
              <Icon name={icon} />
              <span class="long">{name}</span>
              <span class="short">{short}</span>
            </a>
          </li>
        ))}
      </ul>
      <div class="foot">
        <Connection />
        {who?.authentication && <Bearer who={who} />}
        <ThemeSwitch />
        <a class="faint" href="docs">
          API reference
        </a>
      </div>
    </nav>
  );
}

function Connection() {
  const { text, tone } = FEEDS[useStore(feed)];
  const instance = useStore(look)?.instance;
  return (
    <p class="connection">
      <span class={`dot ${tone}`} />
      {text}
      {instance !== undefined && <span class="faint clip">{instance}</span>}
    </p>
  );
}

function Bearer({ who }: { who: Account }) {
  const leave = () => {
    setToken(null);
    account.set(null);
  };
  return (
    <p class="bearer">
      <Icon name="key" />
      <span class="clip">
        {who.subject ?? "Token"} <span class="faint">{who.role}</span>
      </span>
      <button type="button" class="link" onClick={leave}>
        Forget
      </button>
    </p>
  );
}

function ThemeSwitch() {
  const chosen = useStore(theme);
  return <Choice label="Colours" value={chosen} options={THEMES} onChoose={(value) => theme.set(value)} />;
}
