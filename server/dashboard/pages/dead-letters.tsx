/** Page. */ export function DeadLettersPage(_props: Record<string, string>) {
  return <p>soon</p>;
}
