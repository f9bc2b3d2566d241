//! Kills of a go-live, each resumed: every run ends as an undisturbed one does, and nothing recorded as done happens
//! again. A dozen by default, at least one of each moment; `RUNBOOK_CRASH_KILLS=200` is the whole campaign, ten of each.
//! `RUNBOOK_CRASH_SEED=N` runs the campaign of a seed again.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use runbook_crash_tests::{Arena, Cut, Dice, Moment, Sum};
use runbook_testbed::free_ports;

/// Kills in all, where nobody says how many.
const KILLS: u64 = 12;
/// From this many on, ten of each moment are demanded; else one.
const WHOLE: u64 = 200;
/// Runs at the same time: they mostly wait.
const WORKERS: u16 = 4;
/// Kills within one run.
const LIVES: u64 = 3;
/// How many ports a sandbox has to itself.
const PORTS: u16 = 10;

/// How the candidates end when nobody kills anything.
const CANDIDATES: [(&str, i32); 2] = [("healthy", 0), ("flaky", 20)];

struct Campaign {
    seed: u64,
    wanted: u64,
    runs: AtomicU64,
    hits: Mutex<BTreeMap<Moment, u64>>,
    /// Those that hit a moment: a run that was over is not counted.
    kills: AtomicU64,
}

/// How a candidate ends when nobody kills anything: each step, and what the world has to say.
type Undisturbed = BTreeMap<&'static str, (Vec<String>, Sum)>;

impl Campaign {
    fn of_each(&self) -> u64 {
        if self.wanted < WHOLE { 1 } else { 10 }
    }

    fn wanting(&self, dice: &mut Dice) -> Option<Moment> {
        let hits = self.hits.lock().unwrap();
        let missing: Vec<Moment> = Moment::ALL
            .into_iter()
            .filter(|moment| hits.get(moment).copied().unwrap_or_default() < self.of_each())
            .collect();
        if missing.is_empty() && self.kills.load(Ordering::SeqCst) >= self.wanted {
            return None;
        }
        let among = if missing.is_empty() { &Moment::ALL[..] } else { &missing[..] };
        Some(among[dice.below(among.len() as u64) as usize])
    }
}

#[expect(clippy::disallowed_methods, reason = "to have a failure again, and to have more of them")]
fn told(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn seed() -> u64 {
    told("RUNBOOK_CRASH_SEED")
        .unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64)
}

fn arguments(candidate: &str) -> Vec<String> {
    let candidate = format!("candidate={candidate}");
    [
        "exec",
        "runbooks/golive.yaml",
        "--no-input",
        "-o",
        "json",
        "-i",
        "methodology=enterprise",
        "-i",
        &candidate,
    ]
    .map(str::to_owned)
    .to_vec()
}

fn cut(like: Moment, dice: &mut Dice) -> Cut {
    match like {
        Moment::EffectToResult => Cut::Effect { nth: 1 + dice.below(4) },
        Moment::StartedToEffect => Cut::Event { like, nth: 1 + dice.below(6), later: Duration::ZERO },
        Moment::RetryDelay => {
            Cut::Event { like, nth: 1 + dice.below(3), later: Duration::from_micros(dice.below(30_000)) }
        }
        Moment::Wait => Cut::Event { like, nth: 1, later: Duration::from_millis(dice.below(800)) },
        Moment::Undo | Moment::Finally => {
            Cut::Event { like, nth: 1 + dice.below(4), later: Duration::from_micros(dice.below(2_000)) }
        }
        Moment::Prepare => {
            Cut::Event { like, nth: 1 + dice.below(4), later: Duration::from_micros(dice.below(500)) }
        }
    }
}

/// One run with several kills; the last life is left alone.
#[expect(clippy::print_stdout, reason = "a campaign takes minutes: it says how far it is")]
fn disturbed(arena: &Arena, campaign: &Campaign, undisturbed: &Undisturbed, dice: &mut Dice) {
    let Some(first) = campaign.wanting(dice) else { return };
    // An undo needs something to undo; the checks that are retried come when it went well.
    let candidate = match first {
        Moment::Undo => "flaky",
        Moment::RetryDelay => "healthy",
        _ => CANDIDATES[dice.below(2) as usize].0,
    };
    let number = campaign.runs.fetch_add(1, Ordering::SeqCst);
    let mut args = arguments(candidate);
    let mut run: Option<String> = None;
    let mut story = Vec::new();
    let mut like = Some(first);
    let mark = arena.ledger.mark();
    for _ in 0..LIVES {
        let Some(wanted) = like else { break };
        let cut = cut(wanted, dice);
        let life = arena.live(&args.iter().map(String::as_str).collect::<Vec<_>>(), Some(cut));
        run = run.or(life.run);
        story.push(format!("{cut:?} killed {} exit {:?}", life.killed, life.exit));
        let Some(id) = run.clone() else { break };
        if !life.killed {
            break;
        }
        let effects = arena.ledger.effects().len();
        let before = arena.events(&id).len();
        args = ["resume", &id, "--no-input", "-o", "json"].map(str::to_owned).to_vec();
        story.push(format!("  {before} events, {effects} effects"));
        like = campaign.wanting(dice);
        // The moments are told once it is known what came after: see below.
        story.push(format!("at:{before}:{effects}"));
    }
    let Some(id) = run else {
        // Killed before the run existed: nothing happened, and nothing has to be resumed.
        return;
    };
    let ended = arena.events(&id).last().is_some_and(|event| event["type"] == "finished");
    let exit = if ended { None } else { arena.live(&["resume", &id, "--no-input", "-o", "json"], None).exit };
    let told = format!("seed {}, run {number} ({id}, {candidate}):\n{}", campaign.seed, story.join("\n"));
    if let Some(exit) = exit {
        let expected = CANDIDATES.iter().find(|(name, _)| *name == candidate).unwrap().1;
        assert_eq!(exit, expected, "{told}\n{}", arena.run(&["show", &id]).stdout);
    }
    let (ending, sum) = &undisturbed[candidate];
    assert_eq!(arena.ending(&id), *ending, "{told}\n{}", arena.run(&["show", &id]).stdout);
    assert_eq!(arena.ledger.since(&mark), *sum, "{told}");
    assert_eq!(arena.repeated(&id), Vec::<String>::new(), "{told}");
    for cut in story.iter().filter_map(|line| line.strip_prefix("at:")) {
        let (before, effects) = cut.split_once(':').unwrap();
        let hit = arena.hit(&id, before.parse().unwrap(), effects.parse().unwrap());
        campaign.kills.fetch_add(u64::from(!hit.is_empty()), Ordering::SeqCst);
        let mut hits = campaign.hits.lock().unwrap();
        for moment in hit {
            *hits.entry(moment).or_default() += 1;
        }
        println!("run {number}, {} kills: {hits:?}", campaign.kills.load(Ordering::SeqCst));
    }
}

#[test]
fn killed_anywhere_a_go_live_ends_as_if_it_had_not_been() {
    let seed = seed();
    println!("RUNBOOK_CRASH_SEED={seed}");
    let campaign = Campaign {
        seed,
        wanted: told("RUNBOOK_CRASH_KILLS").unwrap_or(KILLS),
        runs: AtomicU64::new(0),
        hits: Mutex::default(),
        kills: AtomicU64::new(0),
    };
    let first_port = free_ports(WORKERS * PORTS);
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let campaign = &campaign;
            scope.spawn(move || {
                let mut arena = Arena::new(first_port + worker * PORTS);
                let mut dice = Dice::new(seed.wrapping_add(u64::from(worker)));
                let mut undisturbed = BTreeMap::new();
                // The first go-live has no baseline to compare with; all others have.
                let args = arguments("healthy");
                assert_eq!(
                    arena.live(&args.iter().map(String::as_str).collect::<Vec<_>>(), None).exit,
                    Some(0)
                );
                for (candidate, exit) in CANDIDATES {
                    let args = arguments(candidate);
                    let mark = arena.ledger.mark();
                    let life = arena.live(&args.iter().map(String::as_str).collect::<Vec<_>>(), None);
                    let run = life.run.expect("an undisturbed run has an id");
                    assert_eq!(life.exit, Some(exit), "{}", arena.run(&["show", &run]).stdout);
                    arena.shape.learn(&arena.bed.events(&run));
                    undisturbed.insert(candidate, (arena.ending(&run), arena.ledger.since(&mark)));
                }
                while campaign.wanting(&mut dice.clone()).is_some() {
                    disturbed(&arena, campaign, &undisturbed, &mut dice);
                }
            });
        }
    });
    let hits = campaign.hits.lock().unwrap();
    println!(
        "{} runs, {} kills: {hits:?}",
        campaign.runs.load(Ordering::SeqCst),
        campaign.kills.load(Ordering::SeqCst)
    );
    assert!(campaign.kills.load(Ordering::SeqCst) >= campaign.wanted);
    for moment in Moment::ALL {
        assert!(
            hits.get(&moment).copied().unwrap_or_default() >= campaign.of_each(),
            "{moment:?} was hit too seldom: {hits:?}"
        );
    }
}
