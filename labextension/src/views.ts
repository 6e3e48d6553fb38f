/**
 * The views of the main area, loaded together when the first of them is opened: in chunks of their
 * own, each would have a copy of what they share.
 */
export { ChatWidget } from './chat/widget';
export { makeJournal } from './journal/widget';
export { MemoryView } from './memory/view';
export { makeOverview } from './overview/widget';
