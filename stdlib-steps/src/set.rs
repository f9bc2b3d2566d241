//! `set`.

use runbook_step::{BoxFuture, Call, Context, Declaration, Map, Outcome, Step, World, step_type};

step_type! {
    /// Names values, so that later steps can use them.
    ///
    /// Every name under `with` becomes an output of the step, with the value and the type that it has there.
    ///
    /// ```yaml
    /// - id: target
    ///   uses: set
    ///   with:
    ///     colour: "${{ 'green' if inputs.live == 'blue' else 'blue' }}"
    ///     replicas: 6
    /// ```
    ///
    /// Later steps read `steps.target.outputs.colour`. A secret cannot be an output, so it cannot be named here either.
    pub struct Set = "set", declare;
}

fn declare(it: Declaration) -> Declaration {
    it.pure().outputs_from_all()
}

impl Step for Set {
    fn declaration(&self) -> &Declaration {
        Self::declared()
    }

    fn run<'a>(&'a self, call: &'a Call, _ctx: &'a dyn Context) -> BoxFuture<'a, Outcome> {
        Box::pin(async { Outcome::done(call.params.clone()) })
    }

    fn simulate(&self, call: &Call, _world: &mut World) -> Map {
        call.params.clone()
    }
}

#[cfg(test)]
mod tests {
    use runbook_step::testing::Fake;
    use runbook_step::{Secret, Value};

    use super::*;

    #[test]
    fn every_parameter_is_an_output() {
        let given = Map::from([("colour".into(), "green".into()), ("list".into(), vec![1, 2].into())]);
        let call = Call { params: Set.declaration().fill(given.clone()).unwrap(), ..Call::default() };
        let fake = Fake::new();
        assert_eq!(fake.block_on(Set.run(&call, &fake)), Outcome::done(given));
    }

    #[test]
    fn a_secret_is_refused() {
        let given = Map::from([("token".into(), Value::from(Secret::named("token")))]);
        let faults = Set.declaration().fill(given).unwrap_err();
        insta::assert_snapshot!(faults[0], @"token: a secret cannot stand here: ${{ secrets.token }}");
    }
}
