//! Steps of training: gradients of several examples added up, clipped, and given to AdamW.
//!
//! AdamW is candle's (Loshchilov & Hutter 2019, <https://arxiv.org/abs/1711.05101>); its moments live as long as the [`Trainer`].

use candle_core::{Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};

use super::{Example, Lora};
use crate::LmError;

/// How the rate goes, and what holds it in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// Steps in all; the cosine ends there.
    pub steps: usize,
    /// Steps in which the rate rises from 0.
    pub warm_up: usize,
    /// The highest rate.
    pub rate: f64,
    /// The rate at the end, as a share of the highest.
    pub floor: f64,
    /// Gradients whose norm over all matrices is larger are scaled down to it.
    pub clip: f64,
    /// AdamW's weight decay.
    pub decay: f64,
}

impl Default for Schedule {
    fn default() -> Self {
        Schedule { steps: 60, warm_up: 6, rate: 1e-3, floor: 0.1, clip: 1.0, decay: 0.01 }
    }
}

impl Schedule {
    /// The rate of a step, counted from 0: a straight rise, then half a cosine.
    pub fn at(&self, step: usize) -> f64 {
        if step < self.warm_up {
            return self.rate * (step + 1) as f64 / self.warm_up as f64;
        }
        let share = (step - self.warm_up) as f64 / self.steps.saturating_sub(self.warm_up).max(1) as f64;
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * share.min(1.0)).cos());
        self.rate * (self.floor + (1.0 - self.floor) * cosine)
    }
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Nats a token of the answers, the mean over the examples, before the step.
    pub loss: f64,
    /// Norm of the gradient before clipping.
    pub norm: f64,
    /// Rate.
    pub rate: f64,
}

/// An optimizer over the additions of one model.
pub struct Trainer {
    variables: Vec<Var>,
    optimizer: AdamW,
    schedule: Schedule,
    done: usize,
}

impl Trainer {
    /// For the additions of `lora`.
    pub fn new(lora: &Lora, schedule: Schedule) -> Result<Trainer, LmError> {
        let variables = lora.adapters().variables();
        let parameters = ParamsAdamW { lr: schedule.rate, weight_decay: schedule.decay, ..ParamsAdamW::default() };
        let optimizer = AdamW::new(variables.clone(), parameters)?;
        Ok(Trainer { variables, optimizer, schedule, done: 0 })
    }

    /// Steps done.
    pub fn done(&self) -> usize {
        self.done
    }

    /// One step over the examples (at least one), which are computed one after another, so that memory is that of the longest.
    pub fn step(&mut self, lora: &Lora, examples: &[&Example]) -> Result<Step, LmError> {
        let share = 1.0 / examples.len().max(1) as f64;
        let (mut sums, mut loss): (Vec<Option<Tensor>>, f64) = (vec![None; self.variables.len()], 0.0);
        let mut store = None;
        for example in examples {
            let one = lora.loss(example)?;
            loss += f64::from(one.to_scalar::<f32>()?) * share;
            let mut gradients = one.backward()?;
            for (variable, sum) in self.variables.iter().zip(&mut sums) {
                if let Some(gradient) = gradients.remove(variable) {
                    let gradient = (gradient * share)?.detach();
                    *sum = Some(match sum.take() {
                        Some(before) => (before + gradient)?.detach(),
                        None => gradient,
                    });
                }
            }
            store = Some(gradients);
        }
        let Some(mut store) = store else { return Ok(Step { loss: 0.0, norm: 0.0, rate: 0.0 }) };
        let mut squares = 0.0;
        for sum in sums.iter().flatten() {
            squares += f64::from(sum.sqr()?.sum_all()?.to_scalar::<f32>()?);
        }
        let norm = squares.sqrt();
        if !norm.is_finite() || !loss.is_finite() {
            let what =
                format!("step {}: loss {loss} and gradient {norm} are no numbers; take a lower rate", self.done + 1);
            return Err(LmError::Compute(candle_core::Error::Msg(what)));
        }
        let factor = if norm > self.schedule.clip { self.schedule.clip / norm } else { 1.0 };
        for (variable, sum) in self.variables.iter().zip(sums) {
            if let Some(sum) = sum {
                store.insert(variable, (sum * factor)?);
            }
        }
        let rate = self.schedule.at(self.done);
        self.optimizer.set_learning_rate(rate);
        self.optimizer.step(&store)?;
        self.done += 1;
        Ok(Step { loss, norm, rate })
    }
}
